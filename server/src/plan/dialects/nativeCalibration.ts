/** `spec.calibration`: factors on the step times and the size of the KV pool, from a file that measurements made. */
import { entryOf, type YamlMap } from '../../text/tree.ts';
import type { Problem, Range, Severity } from '../../text/types.ts';
import { type CalibratedDraft, misfits, neighbourOf, parseCalibration } from '../calibrationFile.ts';
import { byDefault, inferred } from '../draft.ts';
import { isEmpty, list, type Reader, shorten, text } from '../read.ts';
import type { Located, Plan } from '../types.ts';
import type { ReadContext } from './dialect.ts';

export interface CalibrationReading {
  readonly calibration: Plan['calibration'] | null;
  /** The pool that the start-up log told; null where none is known, or where it was sized under other settings. */
  readonly numGpuBlocks: Located<number> | null;
}

/** The file, and where the plan speaks of it. */
interface Source {
  readonly path: string;
  readonly content: string;
  readonly at: Pick<Located<unknown>, 'range' | 'keyRange'>;
  readonly place: Range;
}

const NONE: CalibrationReading = { calibration: byDefault(null, 'none stated'), numGpuBlocks: null };
const UNREAD: CalibrationReading = { calibration: null, numGpuBlocks: null };

/**
 * Reads the file that the plan names, or else its neighbour's, NAME.calibration.json.
 * @param draft the rest of the plan, to see whether the file was made for it. @param anchor its first line.
 */
export async function readCalibration(
  reader: Reader,
  spec: YamlMap,
  context: ReadContext,
  draft: CalibratedDraft & Pick<Plan, 'anchor'> & { readonly cost: Plan['cost'] | null },
): Promise<CalibrationReading> {
  if (context.uncalibrated) return NONE;
  const source = await sourceOf(reader, spec, context, draft.anchor);
  if (source === 'unreadable') return UNREAD;
  if (source === null) return NONE;
  const { path, content, at, place } = source;
  const name = shorten(path);
  const say = (rule: string, severity: Severity, message: string): void => {
    const problem: Problem = { rule, severity, message, range: place };
    reader.problems.push(problem);
  };
  const parsed = parseCalibration(content);
  if (!parsed.ok) {
    const faults = parsed.faults.map(({ message }) => message).join(' ');
    say(
      'calibration-invalid',
      'error',
      `The calibration ${name} cannot be used: ${faults} Make it again with \`layerkv calibrate\`, or remove it.`,
    );
    return UNREAD;
  }
  const { scales, pool } = parsed.value;
  const found = misfits(parsed.value, draft);
  if (found.other.length > 0) {
    say(
      'calibration-mismatch',
      'warning',
      `The calibration ${name} was made for another deployment, so it is not used: this plan has ${list(found.other, 'and')}.`,
    );
    return { calibration: byDefault(null, `${name} was made for another deployment`), numGpuBlocks: null };
  }
  if (found.changed.length > 0) {
    say(
      'calibration-mismatch',
      'warning',
      `The calibration ${name} was measured under other settings: this plan has ${list(found.changed, 'and')}. Its factors are used all the same; measure again to be sure.`,
    );
  }
  if (draft.cost !== null && draft.cost.value !== null) {
    say(
      'calibration-unused',
      'information',
      `The factors of ${name} are for the cost model of model and GPU: beside the hand-made \`cost.linear\` they have no effect.`,
    );
  }
  return {
    calibration: { value: { path, scales }, ...at, origin: at.range === null ? 'inferred' : 'stated', source: name },
    numGpuBlocks:
      pool === null || found.pool.length > 0
        ? null
        : inferred(blocksOf(pool, draft), `the start-up log behind ${name}`),
  };
}

/** Of a pool of groups of layers the tokens say nothing of its blocks. */
function blocksOf(
  pool: { readonly numGpuBlocks: number; readonly blockSize: number },
  { engine }: CalibratedDraft,
): number {
  return Math.max(1, Math.floor((pool.numGpuBlocks * pool.blockSize) / (engine.blockSize?.value ?? pool.blockSize)));
}

async function sourceOf(
  reader: Reader,
  spec: YamlMap,
  { files, fileName }: ReadContext,
  anchor: Range,
): Promise<Source | 'unreadable' | null> {
  const entry = entryOf(spec, 'calibration');
  if (entry === undefined || isEmpty(entry.value)) {
    const path = neighbourOf(fileName);
    const content = path === null ? null : await files.readText(path);
    if (path === null || content === null) return null;
    return { path, content, at: { range: null, keyRange: null }, place: anchor };
  }
  const place = entry.value.range;
  const path = text(entry.value);
  if (!path.ok) {
    reader.fail(path, place);
    return 'unreadable';
  }
  const content = await files.readText(path.value);
  if (content !== null) return { path: path.value, content, at: { range: place, keyRange: entry.keyRange }, place };
  const message = `Cannot read the calibration ${shorten(path.value)}. Check the path: it is taken from the folder of this file. \`layerkv calibrate\` makes one from a benchmark and a start-up log.`;
  reader.fail({ ok: false, rule: 'calibration-unreadable', message }, place);
  return 'unreadable';
}
