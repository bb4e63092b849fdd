/** What the format knows and the engine does not compute yet. Delete a row when the engine learns it. */
import { entryAtPath, type Path, type YamlEntry } from '../../text/tree.ts';
import type { Rule } from './rule.ts';

interface Row {
  readonly path: Path;
  /** True where what is stated would change the prediction. */
  readonly matters: (entry: YamlEntry) => boolean;
  readonly what: string;
}

const always = (): boolean => true;
const valueIs =
  (wanted: string | boolean) =>
  ({ value }: YamlEntry): boolean =>
    value.kind === 'scalar' && value.value === wanted;
const aboveZero = ({ value }: YamlEntry): boolean =>
  value.kind === 'map' &&
  value.entries.some(
    (entry) => entry.key === 'share' && entry.value.kind === 'scalar' && Number(entry.value.value) > 0,
  );

const ROWS: readonly Row[] = [
  { path: ['spec', 'engine', 'kvOffload'], matters: always, what: 'The host tier behind the prefix cache' },
  { path: ['spec', 'engine', 'prefixCaching'], matters: valueIs(true), what: 'Prefix caching' },
  { path: ['spec', 'workload', 'sharedPrefix'], matters: aboveZero, what: 'A prefix shared by requests' },
  {
    path: ['spec', 'engine', 'layerkv', 'residency'],
    matters: valueIs('stream'),
    what: 'Streaming of offloaded layers',
  },
  { path: ['spec', 'calibration'], matters: always, what: 'A calibration' },
];

/** One rule for all of them. */
export const notSimulatedRules: readonly Rule[] = [
  {
    id: 'not-simulated',
    severity: 'information',
    summary: 'The plan states something that this version reads but does not simulate.',
    check: ({ root }) =>
      ROWS.flatMap(({ path, matters, what }) => {
        const entry = entryAtPath(root, path);
        return entry !== undefined && matters(entry)
          ? [{ message: `${what} is not simulated yet: the prediction ignores it.`, range: entry.keyRange }]
          : [];
      }),
  },
];
