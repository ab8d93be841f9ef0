/** What the user chose, as the server understands it. Knows nothing of the server's process. */

import { ExtensionContext, workspace } from 'vscode';

/** The section of all settings, in VS Code as on the wire. */
export const SECTION = 'dllm-lsp';

/** The one setting that is not the server's: where its program is. */
export const SERVER_PATH = 'server.path';

type Tree = { [key: string]: unknown };

/**
 * Returns the tree of server settings that the user has set, with null for those left at their defaults, which takes
 * back what was sent before: a default sent by the editor would overrule what the server was started with.
 */
export function serverSettings(context: ExtensionContext): Tree {
  const declared: object = context.extension.packageJSON.contributes.configuration.properties;
  const configuration = workspace.getConfiguration(SECTION);
  const tree: Tree = {};
  for (const name of Object.keys(declared)) {
    const key = name.slice(SECTION.length + 1);
    const value = configuration.get(key);
    if (key !== SERVER_PATH) {
      plant(tree, key.split('.'), value !== configuration.inspect(key)?.defaultValue ? value : null);
    }
  }
  return tree;
}

function plant(tree: Tree, path: string[], value: unknown): void {
  const branch = path.slice(0, -1).reduce((node, name) => (node[name] ??= {}) as Tree, tree);
  branch[path[path.length - 1]] = value;
}
