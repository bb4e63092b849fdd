/** Result files of benchmarks, whichever tool made them. */
import { isRecord } from '../catalog/outcome.ts';
import { isAiperf, readAiperf } from './aiperf.ts';
import { isGuidellm, readGuidellm } from './guidellm.ts';
import { type Json, refuse } from './json.ts';
import type { BenchmarkRun, Reading } from './types.ts';
import { isVllmBench, readVllmBench } from './vllmBench.ts';

const FORMATS = 'the JSON of `vllm bench serve --save-result`, of guidellm, or AIPerf’s profile_export_aiperf.json';

/** Every run of a result file; never throws. */
export function readBenchmarks(text: string): Reading<readonly BenchmarkRun[]> {
  const documents = parse(text);
  if (documents === null) return refuse(`It is not valid JSON. Give ${FORMATS}.`);
  const runs: BenchmarkRun[] = [];
  for (const json of documents) {
    const read = readDocument(json);
    if (!read.ok) return read;
    runs.push(...read.value);
  }
  const blind = runs.find((run) => run.ttftMs === null && run.tpotMs === null);
  if (blind !== undefined) {
    return refuse(
      'It tells neither TTFT nor TPOT. Run it with streaming on, and with both among its metrics (`--percentile-metrics ttft,tpot`).',
    );
  }
  return { ok: true, value: runs };
}

function readDocument(json: Json): Reading<readonly BenchmarkRun[]> {
  if (isGuidellm(json)) return readGuidellm(json);
  const read = isVllmBench(json) ? readVllmBench(json) : isAiperf(json) ? readAiperf(json) : null;
  if (read === null) return refuse(`It is no benchmark result known here. Give ${FORMATS}.`);
  return read.ok ? { ok: true, value: [read.value] } : read;
}

/** One JSON document, or one a line (`--append-result`). Python writes Infinity and NaN, which JSON does not have. */
function parse(text: string): readonly Json[] | null {
  const whole = parseOne(text);
  if (whole !== null) return [whole];
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  const documents = lines.map(parseOne).filter((json) => json !== null);
  return lines.length > 1 && documents.length === lines.length ? documents : null;
}

function parseOne(text: string): Json | null {
  for (const attempt of [text, text.replace(/(?<=[:[,]\s*)(?:-?Infinity|NaN)(?=\s*[,\]}])/g, 'null')]) {
    try {
      const json: unknown = JSON.parse(attempt);
      if (isRecord(json)) return json;
    } catch {
      // The next attempt, or none.
    }
  }
  return null;
}
