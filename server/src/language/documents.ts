/** Open documents, each analysed once per version and only when someone asks. */
import { type Assessment, assess } from '../forecast/assess.ts';
import { analyse } from '../plan/analyse.ts';
import type { Analysis, Plan } from '../plan/types.ts';
import { type ParsedText, parseText } from '../text/parse.ts';
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
}

export function snapshot(uri: string, version: number, text: string, files: Files): Snapshot {
  let analysis: Promise<Analysis> | undefined;
  let parsed: ParsedText | undefined;
  const assessments = new Map<Plan, Assessment | null>();
  return {
    uri,
    version,
    text,
    analysis: () => {
      analysis ??= analyse(text, { fileName: fileNameOf(uri), files });
      return analysis;
    },
    parsed: () => {
      parsed ??= parseText(text);
      return parsed;
    },
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
