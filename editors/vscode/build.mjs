// Bundles the extension into dist/, with its own licence and those of the packages that are in the bundle.

import { build } from 'esbuild';
import { copyFileSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';

const { metafile } = await build({
  entryPoints: ['src/extension.ts'],
  outfile: 'dist/extension.js',
  bundle: true,
  minify: true,
  metafile: true,
  platform: 'node',
  target: 'node20',
  external: ['vscode'],
  logLevel: 'info',
});

const bundled = Object.keys(metafile.inputs).map((file) => file.match(/^.*node_modules\/(@[^/]+\/)?[^/]+/)?.[0]);
const licences = [...new Set(bundled.filter(Boolean))].sort().map((folder) => {
  const file = readdirSync(folder).find((name) => /^licen[cs]e/i.test(name));
  const { name, version } = JSON.parse(readFileSync(`${folder}/package.json`, 'utf8'));
  return `${name} ${version}\n\n${readFileSync(`${folder}/${file}`, 'utf8')}`;
});
writeFileSync('dist/licenses.txt', licences.join('\n\n'));
copyFileSync('../../LICENSE', 'LICENSE');
