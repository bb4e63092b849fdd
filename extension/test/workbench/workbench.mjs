// Starts a real VS Code workbench (code-server) with a scratch profile, reachable from this machine only.
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { paths } from './install.mjs';

/** Quiet and steady: no start page, no side chat, no autosave (the web workbench saves by itself otherwise). */
const steadySettings = {
  'workbench.startupEditor': 'none',
  'workbench.secondarySideBar.defaultVisibility': 'hidden',
  'workbench.enableExperiments': false,
  'workbench.tips.enabled': false,
  'workbench.reduceMotion': 'on',
  'chat.disableAIFeatures': true,
  'telemetry.telemetryLevel': 'off',
  'extensions.autoCheckUpdates': false,
  'extensions.autoUpdate': false,
  'extensions.ignoreRecommendations': true,
  'update.mode': 'none',
  'files.autoSave': 'off',
  'git.enabled': false,
  'window.commandCenter': false,
  'editor.minimap.enabled': false,
  'editor.cursorBlinking': 'solid',
  'editor.hover.delay': 100,
};

function freePort() {
  return new Promise((done, fail) => {
    const server = createServer();
    server.once('error', fail);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => done(port));
    });
  });
}

function environment(home) {
  const env = { ...process.env };
  for (const key of Object.keys(env)) {
    if (/^(VSCODE_|ELECTRON_|npm_|NODE_OPTIONS$|PASSWORD$|HASHED_PASSWORD$|PORT$)/.test(key)) delete env[key];
  }
  // An empty gallery: the workbench then looks nothing up on the network.
  return {
    ...env,
    HOME: home,
    XDG_CONFIG_HOME: join(home, 'config'),
    XDG_DATA_HOME: join(home, 'share'),
    EXTENSIONS_GALLERY: '{"serviceUrl":""}',
  };
}

function finished(child) {
  return new Promise((done) => {
    if (child.exitCode !== null || child.signalCode !== null) done(child.exitCode);
    else child.once('exit', done);
  });
}

/**
 * Installs `vsix` into a scratch profile and serves a workbench on 127.0.0.1.
 * Returns its address, what it printed, and `stop()`, which ends it and removes the profile.
 */
export async function startWorkbench({ vsix, settings = {} }) {
  const profile = mkdtempSync(join(tmpdir(), 'layerkv-workbench-'));
  const folder = (name) => {
    const path = join(profile, name);
    mkdirSync(path, { recursive: true });
    return path;
  };
  const home = folder('home');
  const data = folder('data');
  folder('data/User');
  writeFileSync(join(data, 'User/settings.json'), JSON.stringify({ ...steadySettings, ...settings }, null, 2));
  const base = [
    paths.codeServer,
    ...['--config', join(profile, 'config.yaml'), '--user-data-dir', data, '--extensions-dir', folder('ext')],
  ];
  let printed = '';
  const run = (args) => {
    const child = spawn(paths.node, [...base, ...args], { env: environment(home), stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk) => {
        printed = (printed + chunk).slice(-20_000);
      });
    }
    return child;
  };
  const removeProfile = () => rmSync(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });

  const installed = await finished(run(['--install-extension', vsix]));
  if (installed !== 0) {
    removeProfile();
    throw new Error(`The workbench did not install ${vsix}:\n${printed}`);
  }
  const port = await freePort();
  const server = run([
    ...['--bind-addr', `127.0.0.1:${port}`, '--auth', 'none', '--disable-telemetry', '--disable-update-check'],
    ...['--disable-getting-started-override', '--disable-workspace-trust'],
  ]);
  const stop = async () => {
    server.kill('SIGTERM');
    await finished(server);
    removeProfile();
  };
  const origin = `http://127.0.0.1:${port}`;
  // Ready is what the server itself says; the pause only spaces the questions.
  for (let left = 600; ; left--) {
    const answer = await fetch(`${origin}/healthz`).catch(() => null);
    if (answer?.ok) break;
    if (left === 0 || server.exitCode !== null) {
      await stop();
      throw new Error(`The workbench did not start:\n${printed}`);
    }
    await delay(50);
  }
  return {
    origin,
    urlOf: (workspaceFolder) => `${origin}/?folder=${encodeURIComponent(workspaceFolder)}`,
    printed: () => printed,
    stop,
  };
}
