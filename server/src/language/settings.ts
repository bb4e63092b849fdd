import { DEFAULT_SETTINGS, type RuleSeverity, type Settings } from '../protocol.ts';

const SEVERITIES: ReadonlySet<unknown> = new Set<RuleSeverity>(['error', 'warning', 'information', 'hint', 'off']);
const MAX_DEBOUNCE_MS = 60_000;

/** Whatever the client sent as the `layerkv` section, with defaults for what is missing or of the wrong kind. */
export function settingsFrom(section: unknown): Settings {
  const { simulation, inlayHints, codeLens } = DEFAULT_SETTINGS;
  const at = (group: string, key: string): unknown => property(property(section, group), key);
  const flag = (group: string, key: string, otherwise: boolean): boolean => {
    const value = at(group, key);
    return typeof value === 'boolean' ? value : otherwise;
  };
  const debounceMs = at('simulation', 'debounceMs');
  return {
    simulation: {
      enabled: flag('simulation', 'enabled', simulation.enabled),
      debounceMs:
        typeof debounceMs === 'number' && debounceMs >= 0
          ? Math.min(debounceMs, MAX_DEBOUNCE_MS)
          : simulation.debounceMs,
    },
    inlayHints: {
      kvTokens: flag('inlayHints', 'kvTokens', inlayHints.kvTokens),
      weights: flag('inlayHints', 'weights', inlayHints.weights),
      layers: flag('inlayHints', 'layers', inlayHints.layers),
    },
    codeLens: { enabled: flag('codeLens', 'enabled', codeLens.enabled) },
    rules: rulesFrom(property(section, 'rules')),
  };
}

function rulesFrom(value: unknown): Settings['rules'] {
  if (typeof value !== 'object' || value === null) return {};
  return Object.fromEntries(
    Object.entries(value).filter((entry): entry is [string, RuleSeverity] => SEVERITIES.has(entry[1])),
  );
}

function property(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>)[key] : undefined;
}
