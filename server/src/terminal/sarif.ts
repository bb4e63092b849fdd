/** Problems as SARIF 2.1.0, the format that code scanning services read. */
import { isAbsolute } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Problem, Range, Severity } from '../text/types.ts';

const levels: Readonly<Record<Severity, 'error' | 'warning' | 'note'>> = {
  error: 'error',
  warning: 'warning',
  information: 'note',
  hint: 'note',
};

/** A file as given on the command line, and what was found in it. */
export interface FileProblems {
  readonly file: string;
  readonly problems: readonly Problem[];
}

/** A SARIF log with one run. */
export function sarifLog(files: readonly FileProblems[], version: string): unknown {
  const rules = [...new Set(files.flatMap(({ problems }) => problems.map(({ rule }) => rule)))].sort();
  return {
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        tool: { driver: { name: 'layerkv', version, rules: rules.map((id) => ({ id })) } },
        // Columns count what the Language Server Protocol counts.
        columnKind: 'utf16CodeUnits',
        artifacts: files.map(({ file }) => ({ location: { uri: toUri(file) } })),
        results: files.flatMap(({ file, problems }, index) =>
          problems.map((problem) => ({
            ruleId: problem.rule,
            ruleIndex: rules.indexOf(problem.rule),
            level: levels[problem.severity],
            message: { text: problem.message },
            locations: [location(file, index, problem.range)],
            ...(problem.related !== undefined &&
              problem.related.length > 0 && {
                relatedLocations: problem.related.map((related) => ({
                  ...location(file, index, related.range),
                  message: { text: related.message },
                })),
              }),
          })),
        ),
      },
    ],
  };
}

function location(file: string, index: number, { start, end }: Range): object {
  return {
    physicalLocation: {
      artifactLocation: { uri: toUri(file), index },
      // One-based; the end column is the one after the last character.
      region: {
        startLine: start.line + 1,
        startColumn: start.character + 1,
        endLine: end.line + 1,
        endColumn: end.character + 1,
      },
    },
  };
}

/** A path as given → a URI reference: relative ones stay relative. */
function toUri(file: string): string {
  if (isAbsolute(file)) return pathToFileURL(file).href;
  const segments = file.replaceAll('\\', '/').split('/').map(encodeURIComponent);
  return segments.join('/');
}
