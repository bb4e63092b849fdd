/** A language client over the real protocol: the built server as a child process, its messages kept and awaited. */
import assert from 'node:assert/strict';
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import {
  createMessageConnection,
  type MessageConnection,
  StreamMessageReader,
  StreamMessageWriter,
} from 'vscode-jsonrpc/node';
import type { Diagnostic } from 'vscode-languageserver-types';
import { STATUS_METHOD, type StatusParams } from '../../src/protocol.ts';

const SERVER = resolve('dist/server.js');

export interface Published {
  readonly uri: string;
  readonly version?: number;
  readonly diagnostics: readonly Diagnostic[];
}

/** Capabilities of a client that pulls, refreshes and can be asked for settings, as VS Code is one. */
export const MODERN = {
  workspace: {
    configuration: true,
    diagnostics: { refreshSupport: true },
    codeLens: { refreshSupport: true },
    inlayHint: { refreshSupport: true },
    didChangeWatchedFiles: { dynamicRegistration: true },
  },
  textDocument: { diagnostic: {} },
};

export class Client {
  readonly connection: MessageConnection;
  readonly published: Published[] = [];
  readonly statuses: StatusParams[] = [];
  /** Methods of the requests that the server sent. */
  readonly asked: string[] = [];
  readonly errors: string[] = [];
  settings: unknown = {};
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #exit: Promise<unknown[]>;
  #wake: (() => void)[] = [];

  constructor() {
    assert.ok(existsSync(SERVER), `${SERVER} is missing: npm run build`);
    this.#child = spawn(process.execPath, [SERVER, '--stdio']);
    this.#child.stderr.on('data', (chunk: Buffer) => this.errors.push(chunk.toString()));
    this.#exit = once(this.#child, 'exit');
    this.connection = createMessageConnection(
      new StreamMessageReader(this.#child.stdout),
      new StreamMessageWriter(this.#child.stdin),
    );
    this.connection.onNotification('textDocument/publishDiagnostics', (params: Published) =>
      this.#keep(this.published, params),
    );
    this.connection.onNotification(STATUS_METHOD, (params: StatusParams) => this.#keep(this.statuses, params));
    this.connection.onNotification('window/logMessage', ({ message }: { message: string }) => {
      this.errors.push(message);
    });
    this.connection.onRequest('workspace/configuration', ({ items }: { items: readonly unknown[] }) => {
      this.#keep(this.asked, 'workspace/configuration');
      return items.map(() => this.settings);
    });
    this.connection.onRequest(
      'client/registerCapability',
      (params: { registrations: readonly { method: string }[] }) => {
        for (const { method } of params.registrations) this.#keep(this.asked, method);
        return null;
      },
    );
    for (const what of ['diagnostic', 'codeLens', 'inlayHint']) {
      const method = `workspace/${what}/refresh`;
      this.connection.onRequest(method, () => {
        this.#keep(this.asked, method);
        return null;
      });
    }
    this.connection.listen();
  }

  async start(capabilities: object = {}): Promise<{ readonly capabilities: Record<string, unknown> }> {
    const params = { processId: process.pid, rootUri: null, capabilities };
    const result = await this.request<{ capabilities: Record<string, unknown> }>('initialize', params);
    await this.connection.sendNotification('initialized', {});
    return result;
  }

  request<R>(method: string, params?: unknown): Promise<R> {
    return params === undefined ? this.connection.sendRequest(method) : this.connection.sendRequest(method, params);
  }

  open(uri: string, text: string): Promise<void> {
    return this.connection.sendNotification('textDocument/didOpen', {
      textDocument: { uri, languageId: 'yaml', version: 1, text },
    });
  }

  change(uri: string, version: number, ...contentChanges: readonly object[]): Promise<void> {
    return this.connection.sendNotification('textDocument/didChange', {
      textDocument: { uri, version },
      contentChanges,
    });
  }

  /** The first message so far, or to come, that `wanted` accepts. */
  async until<T>(messages: readonly T[], wanted: (message: T) => boolean, from = 0): Promise<T> {
    for (;;) {
      const found = messages.slice(from).find(wanted);
      if (found !== undefined) return found;
      await new Promise<void>((wake) => this.#wake.push(wake));
    }
  }

  simulated(uri: string, version: number): Promise<StatusParams> {
    return this.until(
      this.statuses,
      (each) => each.uri === uri && each.version === version && each.state === 'simulated',
    );
  }

  /** Shuts down as the protocol says; answers the exit code. */
  async stop(): Promise<unknown> {
    await this.request('shutdown');
    await this.connection.sendNotification('exit');
    const [code] = await this.#exit;
    this.connection.dispose();
    return code;
  }

  #keep<T>(list: T[], message: T): void {
    list.push(message);
    for (const wake of this.#wake.splice(0)) wake();
  }
}
