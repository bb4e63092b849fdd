/**
 * The language server's transport: `node dist/server.js --stdio`, or `--node-ipc` as the extension starts it. Wires the
 * Language Server Protocol to the language service; decides nothing itself.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import {
  type CancellationToken,
  type ClientCapabilities,
  CodeActionKind,
  CodeLensRefreshRequest,
  createConnection,
  DidChangeWatchedFilesNotification,
  LSPErrorCodes,
  ProposedFeatures,
  ResponseError,
  TextDocumentSyncKind,
  TextDocuments,
} from 'vscode-languageserver/node';
import { TextDocument } from 'vscode-languageserver-textdocument';
import { createLanguageService } from './language/service.ts';
import { settingsFrom } from './language/settings.ts';
import {
  SETTINGS_SECTION,
  type Settings,
  SIMULATE_METHOD,
  type SimulateParams,
  type SimulateResult,
  STATUS_METHOD,
} from './protocol.ts';
import { createNodeFiles } from './simulation/nodeFiles.ts';
import { createNodePort } from './simulation/nodePort.ts';

const connection = createConnection(ProposedFeatures.all);
const documents = new TextDocuments(TextDocument);
const rulesPage = join(__dirname, '..', 'docs', 'rules.md');
const rulesPageUrl = existsSync(rulesPage) ? pathToFileURL(rulesPage).href : null;

let capabilities: ClientCapabilities = {};
/** From `initializationOptions` or `didChangeConfiguration`, for clients that cannot be asked. */
let pushedSettings = settingsFrom(undefined);
const settingsCache = new Map<string, Promise<Settings>>();

function settings(uri: string): Promise<Settings> {
  if (capabilities.workspace?.configuration !== true) return Promise.resolve(pushedSettings);
  const cached = settingsCache.get(uri);
  if (cached !== undefined) return cached;
  const asked = connection.workspace
    .getConfiguration({ scopeUri: uri, section: SETTINGS_SECTION })
    .then(settingsFrom, () => pushedSettings);
  settingsCache.set(uri, asked);
  return asked;
}

/** Pulled diagnostics need a refresh once a simulation is done; a client without it gets them pushed. */
const pulls = (): boolean =>
  capabilities.textDocument?.diagnostic !== undefined && capabilities.workspace?.diagnostics?.refreshSupport === true;

const service = createLanguageService({
  files: createNodeFiles(),
  settings,
  docs: (rule) => (rulesPageUrl === null ? null : `${rulesPageUrl}#${rule}`),
  port: createNodePort(join(__dirname, 'worker.js')),
  clock: {
    after: (delayMs, action) => {
      const timer = setTimeout(action, delayMs);
      return () => clearTimeout(timer);
    },
  },
  onStatus: (status) => background(connection.sendNotification(STATUS_METHOD, status)),
  onChange: (uri) => {
    const { codeLens, inlayHint } = capabilities.workspace ?? {};
    if (codeLens?.refreshSupport === true) background(connection.sendRequest(CodeLensRefreshRequest.type));
    if (inlayHint?.refreshSupport === true) background(connection.languages.inlayHint.refresh());
    if (pulls()) background(connection.languages.diagnostics.refresh());
    else background(push(uri));
  },
});

/** Nobody waits for these; a client that went away must not become an unhandled rejection. */
function background(work: Promise<unknown>): void {
  work.catch((error: unknown) =>
    connection.console.error(error instanceof Error ? (error.stack ?? error.message) : String(error)),
  );
}

const told = new Set<string>();

async function push(uri: string): Promise<void> {
  const { version, items } = await service.diagnostics(uri);
  // Files that are none of our business get no message at all.
  if (items.length === 0 && !told.has(uri)) return;
  told.add(uri);
  if (documents.get(uri)?.version !== version) return;
  await connection.sendDiagnostics({ uri, version, diagnostics: items });
}

connection.onInitialize((params) => {
  capabilities = params.capabilities;
  pushedSettings = settingsFrom(params.initializationOptions);
  return {
    serverInfo: { name: 'LayerKV Planner' },
    capabilities: {
      textDocumentSync: TextDocumentSyncKind.Incremental,
      hoverProvider: true,
      codeLensProvider: {},
      inlayHintProvider: {},
      completionProvider: { triggerCharacters: [':', ' ', '{', ','] },
      codeActionProvider: { codeActionKinds: [CodeActionKind.QuickFix] },
      ...(pulls() && {
        diagnosticProvider: { identifier: 'layerkv', interFileDependencies: false, workspaceDiagnostics: false },
      }),
    },
  };
});

connection.onDidChangeConfiguration(({ settings: sent }) => {
  settingsCache.clear();
  const section: unknown = typeof sent === 'object' && sent !== null ? sent[SETTINGS_SECTION] : undefined;
  pushedSettings = settingsFrom(section);
  background(service.settingsChanged());
});

connection.onInitialized(() => {
  if (capabilities.workspace?.didChangeWatchedFiles?.dynamicRegistration !== true) return;
  const watchers = [{ globPattern: '**/*.calibration.json' }];
  background(connection.client.register(DidChangeWatchedFilesNotification.type, { watchers }));
});

connection.onDidChangeWatchedFiles(() => background(service.filesChanged()));

// Fires for opened documents too.
documents.onDidChangeContent(({ document }) => {
  const { uri, version } = document;
  const updated = service.update(uri, version, document.getText());
  background(pulls() ? updated : updated.then(() => push(uri)));
});

documents.onDidClose(({ document: { uri } }) => {
  service.close(uri);
  settingsCache.delete(uri);
  if (told.delete(uri) && !pulls()) background(connection.sendDiagnostics({ uri, diagnostics: [] }));
});

connection.languages.diagnostics.on(async ({ textDocument: { uri } }) => ({
  kind: 'full',
  items: (await service.diagnostics(uri)).items,
}));
connection.onHover(({ textDocument: { uri }, position }) => service.hover(uri, position));
connection.onCodeLens(({ textDocument: { uri } }) => service.codeLenses(uri));
connection.languages.inlayHint.on(({ textDocument: { uri }, range }) => service.inlayHints(uri, range));
connection.onCompletion(({ textDocument: { uri }, position }) => service.completion(uri, position));
connection.onCodeAction(({ textDocument: { uri }, context }) => service.codeActions(uri, context.diagnostics));

connection.onRequest<SimulateResult, void>(
  SIMULATE_METHOD,
  async (params: SimulateParams, token: CancellationToken): Promise<SimulateResult> => {
    const progress = connection.window.attachWorkDoneProgress(params.workDoneToken);
    progress.begin('Simulating', 0, undefined, true);
    const run = service.simulate(params, (fraction) => progress.report(Math.floor(fraction * 100)));
    const listening = token.onCancellationRequested(run.cancel);
    try {
      const result = await run.result;
      if (result === null) throw new ResponseError(LSPErrorCodes.RequestCancelled, 'The simulation was cancelled.');
      return result;
    } finally {
      listening.dispose();
      progress.done();
    }
  },
);

connection.onShutdown(() => service.dispose());

documents.listen(connection);
connection.listen();
