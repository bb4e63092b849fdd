/** What the format knows and the engine does not compute yet, or only roughly. Delete a row when the engine learns it. */
import { entryAtPath, type Path, type YamlEntry } from '../../text/tree.ts';
import { placeOf, type Rule, type RuleContext } from './rule.ts';

interface Row {
  /** The place where the plan says it; null where it says nothing that would change the prediction. */
  readonly find: (context: RuleContext) => ReturnType<typeof placeOf> | null;
  /** What the prediction does instead. */
  readonly message: string;
}

/** The key at `path`, where what it holds matters. */
function stated(path: Path, matters: (entry: YamlEntry) => boolean = () => true): Row['find'] {
  return ({ root }) => {
    const entry = entryAtPath(root, path);
    return entry !== undefined && matters(entry) ? entry.keyRange : null;
  };
}

const valueIs =
  (wanted: string | boolean) =>
  ({ value }: YamlEntry): boolean =>
    value.kind === 'scalar' && value.value === wanted;
const shareAboveZero = ({ value }: YamlEntry): boolean =>
  value.kind === 'map' &&
  value.entries.some(
    (entry) => entry.key === 'share' && entry.value.kind === 'scalar' && Number(entry.value.value) > 0,
  );

const ignored = (what: string): string => `${what} is not simulated yet: the prediction ignores it.`;

const ROWS: readonly Row[] = [
  { find: stated(['spec', 'engine', 'kvOffload']), message: ignored('The host tier behind the prefix cache') },
  { find: stated(['spec', 'engine', 'prefixCaching'], valueIs(true)), message: ignored('Prefix caching') },
  {
    find: stated(['spec', 'workload', 'sharedPrefix'], shareAboveZero),
    message: ignored('A prefix shared by requests'),
  },
  {
    find: stated(['spec', 'engine', 'layerkv', 'residency'], valueIs('stream')),
    message: `${ignored('Streaming of offloaded layers')} It reckons with \`residency: reload\`.`,
  },
  {
    find: stated(['spec', 'engine', 'layerkv', 'countReloadWait'], valueIs(true)),
    message: ignored('Counting the wait for layers to come back against the TPOT budget'),
  },
  { find: stated(['spec', 'calibration']), message: ignored('A calibration') },
  {
    find: ({ draft }) => (draft.model?.value.shape.slidingWindow === undefined ? null : placeOf(draft, draft.model)),
    message:
      'This model has layers with a sliding window. Their steps are timed with it, but their KV is counted in full, as for the other layers: the real pool holds more tokens than predicted here. Where a start-up log of the engine tells the size of its KV cache in tokens, state that over the block size as `engine.numGpuBlocks`.',
  },
];

/** One rule for all of them. */
export const notSimulatedRules: readonly Rule[] = [
  {
    id: 'not-simulated',
    severity: 'information',
    summary: 'The plan states something that this version does not simulate, or only roughly.',
    check: (context) =>
      ROWS.flatMap(({ find, message }) => {
        const range = find(context);
        return range === null ? [] : [{ message, range }];
      }),
  },
];
