/** The groups that the page tells errors of. */
import { findModel } from '../../src/catalog/models.ts';
import type { ValidationRow } from '../validate/row.ts';
import { summarize } from '../validate/summary.ts';
import type { Judged } from './leaveOut.ts';
import type { Grouping } from './types.ts';

/** In order of first appearance. */
export function grouped<T>(members: readonly T[], key: (member: T) => string): ReadonlyMap<string, readonly T[]> {
  const groups = new Map<string, T[]>();
  for (const member of members) {
    const name = key(member);
    const group = groups.get(name);
    if (group === undefined) groups.set(name, [member]);
    else group.push(member);
  }
  return groups;
}

const GROUPINGS: readonly { readonly title: string; readonly key: (row: ValidationRow) => string }[] = [
  { title: 'GPU', key: ({ gpu }) => gpu },
  { title: 'kind of model', key: modelKind },
  { title: 'model', key: ({ model }) => model },
  { title: 'weights', key: ({ weightDtype }) => weightDtype },
  { title: 'GPUs of a replica', key: ({ tp, pp, dp }) => String(tp * pp * dp).padStart(2, ' ') },
  { title: 'load', key: loadOf },
  { title: 'scheduler', key: ({ scheduler }) => (scheduler.startsWith('v0') ? 'v0' : 'v1') },
  { title: 'quality', key: ({ quality }) => quality },
  { title: 'source', key: ({ source }) => source },
];

/** @param rows of all qualities: low quality shows in the grouping by quality alone. */
export function groupings(rows: readonly Judged[]): readonly Grouping[] {
  const judged = rows.filter(({ row }) => row.quality !== 'low');
  return GROUPINGS.map(({ title, key }) => ({
    title,
    groups: [...grouped(title === 'quality' ? rows : judged, ({ row }) => key(row))]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, members]) => [name.trim(), summarize(members.map(({ compared }) => compared))] as const),
  }));
}

function modelKind({ model }: ValidationRow): string {
  const shape = findModel(model)?.shape;
  if (shape?.moe === undefined) return 'dense';
  return shape.attentionType === 'mla' ? 'experts, latent attention' : 'experts';
}

function loadOf({ load }: ValidationRow): string {
  if (load.kind !== 'closed') return load.kind;
  const users = load.concurrency ?? 0;
  return users <= 4 ? 'closed, 1 to 4 users' : users <= 32 ? 'closed, 5 to 32 users' : 'closed, more users';
}
