import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { COMMANDS, DEFAULT_SETTINGS, type RuleSeverity } from '../../src/protocol.ts';

interface Contributes {
  readonly commands: readonly { readonly command: string; readonly category: string; readonly title: string }[];
  readonly menus: Readonly<Record<string, readonly { readonly command: string }[]>>;
  readonly configuration: { readonly properties: Readonly<Record<string, Setting>> };
  readonly yamlValidation: readonly { readonly url: string }[];
}

interface Setting {
  readonly default: unknown;
  readonly scope: string;
  readonly markdownDescription: string;
  readonly additionalProperties?: { readonly enum: readonly string[] };
}

const manifest = JSON.parse(readFileSync('package.json', 'utf8')) as {
  readonly contributes: Contributes;
  readonly activationEvents: readonly string[];
  readonly icon: string;
  readonly main: string;
};
const { contributes } = manifest;

function sources(): readonly string[] {
  const folder = 'extension/src';
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => readFileSync(join(folder, name), 'utf8'));
}

/** Ids of the commands that the extension registers, read off its source. */
function registered(): readonly string[] {
  return sources().flatMap((text) =>
    [...text.matchAll(/registerCommand\(\s*(?:COMMANDS\.(\w+)|'([^']+)')/g)].map(([, name, id]) =>
      name === undefined ? (id ?? '') : COMMANDS[name as keyof typeof COMMANDS],
    ),
  );
}

/** `{a: {b: 1}}` → `['layerkv.a.b', 1]`; an empty map is a value. */
function flatten(prefix: string, value: unknown): readonly (readonly [string, unknown])[] {
  if (typeof value !== 'object' || value === null || Object.keys(value).length === 0) return [[prefix, value]];
  return Object.entries(value).flatMap(([key, each]) => flatten(`${prefix}.${key}`, each));
}

describe('the manifest', () => {
  it('contributes exactly the commands that are registered', () => {
    const contributed = contributes.commands.map(({ command }) => command);
    assert.ok(contributed.length > 0);
    assert.deepEqual([...contributed].sort(), [...registered()].sort());
    for (const id of Object.values(COMMANDS)) assert.ok(contributed.includes(id), `${id} is in a lens`);
  });

  it('puts only its own commands into menus', () => {
    const contributed = contributes.commands.map(({ command }) => command);
    for (const { command } of Object.values(contributes.menus).flat())
      assert.ok(contributed.includes(command), command);
  });

  it('describes every setting that is read, with the default that is used, and no other', () => {
    const described = Object.entries(contributes.configuration.properties).map(([key, each]) => [key, each.default]);
    const read = flatten('layerkv', DEFAULT_SETTINGS);
    assert.deepEqual(Object.fromEntries(described), Object.fromEntries(read));
    for (const [key, { scope, markdownDescription }] of Object.entries(contributes.configuration.properties)) {
      assert.equal(scope, 'resource', key);
      assert.ok(markdownDescription.length > 20, key);
    }
  });

  it('offers every severity for rules', () => {
    const severities: Readonly<Record<RuleSeverity, true>> = {
      error: true,
      warning: true,
      information: true,
      hint: true,
      off: true,
    };
    const offered = contributes.configuration.properties['layerkv.rules']?.additionalProperties?.enum ?? [];
    assert.deepEqual([...offered].sort(), Object.keys(severities).sort());
  });

  it('names files that exist', () => {
    assert.ok(existsSync(manifest.icon));
    for (const { url } of contributes.yamlValidation) assert.ok(existsSync(url), url);
  });

  it('starts on YAML and for kept reports, and never by itself', () => {
    assert.deepEqual(manifest.activationEvents, ['onLanguage:yaml', 'onWebviewPanel:layerkv.report']);
    assert.ok(sources().some((text) => text.includes("REPORT_VIEW = 'layerkv.report'")));
  });
});
