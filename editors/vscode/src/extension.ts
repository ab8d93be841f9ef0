/** Starts the server, tells it the settings, and maps two commands to it. Completion itself is the client library's. */

import { commands, ConfigurationChangeEvent, ExtensionContext, window, workspace } from 'vscode';
import {
  DidChangeConfigurationNotification,
  ExecuteCommandRequest,
  LanguageClient,
  LanguageClientOptions,
  State,
} from 'vscode-languageclient/node';
import which from 'which';

import { SECTION, SERVER_PATH, serverSettings } from './settings';

const LANGUAGE = 'python';

/** The server's answer to `dllm.status`. */
type Status = { state: string; model: string; device: string; detail: string };

let client: LanguageClient | undefined;

export async function activate(context: ExtensionContext): Promise<void> {
  const channel = window.createOutputChannel('dllm-lsp', { log: true });
  const options: LanguageClientOptions = {
    documentSelector: [
      { language: LANGUAGE, scheme: 'file' },
      { language: LANGUAGE, scheme: 'untitled' },
      { language: LANGUAGE, scheme: 'vscode-notebook-cell' },
    ],
    initializationOptions: () => serverSettings(context),
    middleware: {
      // Of itself the client library would send the defaults, too.
      workspace: {
        configuration: (asked, token, next) =>
          asked.items.every((item) => item.section === SECTION)
            ? asked.items.map(() => serverSettings(context))
            : next(asked, token),
      },
    },
    outputChannel: channel,
  };
  context.subscriptions.push(
    channel,
    commands.registerCommand('dllm-lsp.restart', () => restart(options)),
    commands.registerCommand('dllm-lsp.status', showStatus),
    commands.registerCommand('dllm-lsp.pause', () => execute('dllm.pause')),
    commands.registerCommand('dllm-lsp.resume', () => execute('dllm.resume')),
    workspace.onDidChangeConfiguration((event) => configure(event, context, options)),
  );
  await start(options);
}

export async function deactivate(): Promise<void> {
  await stop();
}

async function start(options: LanguageClientOptions): Promise<void> {
  const program = workspace.getConfiguration(SECTION).get<string>(SERVER_PATH, '');
  const command = await which(program, { nothrow: true });
  if (command === null) {
    void reportMissing(program);
    return;
  }
  client = new LanguageClient(SECTION, 'dllm-lsp', { command, args: ['--stdio'] }, options);
  await client.start().catch(() => undefined); // The client has told the user what went wrong.
}

async function stop(): Promise<void> {
  if (client?.isRunning()) {
    await client.dispose();
  }
  client = undefined;
}

/** Ends the engine and starts it again; starts the server when it is not there. */
async function restart(options: LanguageClientOptions): Promise<void> {
  if (client?.isRunning()) {
    await client.sendRequest(ExecuteCommandRequest.type, { command: 'dllm.restart' });
  } else if (client?.state !== State.Starting) {
    await start(options);
  }
}

/** Runs a command of the server, where it runs. */
async function execute(command: string): Promise<void> {
  if (client?.isRunning()) {
    await client.sendRequest(ExecuteCommandRequest.type, { command });
  }
}

async function configure(
  event: ConfigurationChangeEvent,
  context: ExtensionContext,
  options: LanguageClientOptions,
): Promise<void> {
  if (event.affectsConfiguration(`${SECTION}.${SERVER_PATH}`)) {
    await stop();
    await start(options);
  } else if (event.affectsConfiguration(SECTION) && client?.isRunning()) {
    const settings = { [SECTION]: serverSettings(context) };
    await client.sendNotification(DidChangeConfigurationNotification.type, { settings });
  }
}

async function showStatus(): Promise<void> {
  if (!client?.isRunning()) {
    void window.showWarningMessage('dllm-lsp is not running. Run "dllm-lsp: Restart"; its output channel says more.');
    return;
  }
  const status: Status = await client.sendRequest(ExecuteCommandRequest.type, { command: 'dllm.status' });
  const facts = [status.state, status.model, status.device, status.detail].filter(Boolean);
  void window.showInformationMessage(`dllm-lsp: ${facts.join(', ')}`);
}

async function reportMissing(program: string): Promise<void> {
  const openSettings = 'Open Settings';
  const chosen = await window.showErrorMessage(
    `The program "${program}" was not found. Install the Python package dllm-lsp, or set ${SECTION}.${SERVER_PATH} ` +
      'to the full path of its program; then run "dllm-lsp: Restart".',
    openSettings,
  );
  if (chosen === openSettings) {
    await commands.executeCommand('workbench.action.openSettings', `${SECTION}.${SERVER_PATH}`);
  }
}
