/** Open documents, each analysed once per version and only when someone asks. */
import { type Assessment, assess } from '../forecast/assess.ts';
import { AnalysisMemory, analyse } from '../plan/analyse.ts';
import type { Analysis, Plan } from '../plan/types.ts';
import type { ParsedText } from '../text/parse.ts';
import type { Files } from '../text/types.ts';

/** One version of an open document. */
export interface Snapshot {
  readonly uri: string;
  readonly version: number;
  readonly text: string;
  analysis(): Promise<Analysis>;
  /** Only for texts that the analysis called relevant: parsing someone else's file is work that nobody asked for. */
  parsed(): ParsedText;
  /** Null where the figures cannot be told. */
  assessment(plan: Plan): Assessment | null;
  /** For the next version. */
  readonly memory: AnalysisMemory;
}

/** Plans live on from version to version where their text did. */
const assessments = new WeakMap<Plan, Assessment | null>();

/** @param previous the version before, where there is one: what did not change since is not read again. */
export function snapshot(uri: string, version: number, text: string, files: Files, previous?: Snapshot): Snapshot {
  const memory = previous?.memory ?? new AnalysisMemory();
  let analysis: Promise<Analysis> | undefined;
  return {
    uri,
    version,
    text,
    analysis: () => {
      analysis ??= analyse(text, { fileName: fileNameOf(uri), files, memory });
      return analysis;
    },
    parsed: () => memory.parse(text),
    memory,
    assessment: (plan) => {
      const known = assessments.get(plan);
      if (known !== undefined) return known;
      const result = assessOrNull(plan);
      assessments.set(plan, result);
      return result;
    },
  };
}

/** A plan odd enough to break the memory model must not take the other features with it. */
function assessOrNull(plan: Plan): Assessment | null {
  try {
    return assess(plan);
  } catch {
    return null;
  }
}

function fileNameOf(uri: string): string {
  const path = uri.split(/[?#]/)[0] ?? uri;
  const name = path.slice(path.lastIndexOf('/') + 1);
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}
