/** What the format knows and the engine does not compute yet, or only roughly. Delete a row when the engine learns it. */
import { ranksStepTogether } from '../../engine/applies.ts';
import type { KvConnector } from '../../engine/types.ts';
import { entryAtPath, type YamlEntry } from '../../text/tree.ts';
import { placeOf, type Rule, type RuleContext } from './rule.ts';

interface Row {
  /** The place where the plan says it; null where it says nothing that would change the prediction. */
  readonly find: (context: RuleContext) => ReturnType<typeof placeOf> | null;
  /** What the prediction does instead. */
  readonly message: string;
}

const valueIs =
  (wanted: string | boolean) =>
  ({ value }: YamlEntry): boolean =>
    value.kind === 'scalar' && value.value === wanted;
const KV_OFFLOAD = ['spec', 'engine', 'kvOffload'] as const;
const beginsAlike = ({ workload }: RuleContext['draft']): boolean =>
  (workload.sharedPrefixTokens?.value ?? 0) > 0 && (workload.sharedPrefixShare?.value ?? 0) > 0;

/** What asks for shared KV in so many words: the switch, the tier, or prompts that begin alike. */
function cacheStated({ root, draft }: RuleContext): ReturnType<typeof placeOf> | null {
  const tier = entryAtPath(root, KV_OFFLOAD);
  if (tier !== undefined) return tier.keyRange;
  const caching = entryAtPath(root, ['spec', 'engine', 'prefixCaching']);
  if (caching !== undefined) return valueIs(true)(caching) ? caching.keyRange : null;
  return beginsAlike(draft) ? (entryAtPath(root, ['spec', 'workload', 'sharedPrefix'])?.keyRange ?? null) : null;
}

function cacheBesideLayerKv(context: RuleContext): ReturnType<typeof placeOf> | null {
  const { draft } = context;
  return draft.layerkv.enabled?.value === true && draft.engine.scheduler?.value === 'v1' ? cacheStated(context) : null;
}

function cacheUnderV0(context: RuleContext): ReturnType<typeof placeOf> | null {
  return context.draft.engine.scheduler?.value === 'v0' ? cacheStated(context) : null;
}

function cacheInPipeline(context: RuleContext): ReturnType<typeof placeOf> | null {
  const { draft } = context;
  if ((draft.pipeline?.value ?? 1) === 1 || draft.engine.scheduler?.value !== 'v1') return null;
  return draft.layerkv.enabled?.value === true ? null : cacheStated(context);
}

/** A host tier behind v1's prefix cache, where that is on or off. */
function hostTier({ root, draft: { engine } }: RuleContext, caching: boolean): ReturnType<typeof placeOf> | null {
  const applies = engine.scheduler?.value === 'v1' && engine.prefixCaching?.value === caching;
  return applies ? (entryAtPath(root, KV_OFFLOAD)?.keyRange ?? null) : null;
}

/** One that each prompt has for itself: nobody finds what others have left. */
function hostTierOfStrangers(context: RuleContext, connector: KvConnector): ReturnType<typeof placeOf> | null {
  const { draft } = context;
  if (beginsAlike(draft) || draft.workload.trace?.value || (draft.pipeline?.value ?? 1) > 1) return null;
  return draft.engine.kvOffloadConnector?.value === connector ? hostTier(context, true) : null;
}

const isLayerKv = ({ draft }: RuleContext): boolean => draft.layerkv.enabled?.value === true;
const isPipelined = ({ draft }: RuleContext): boolean => (draft.pipeline?.value ?? 1) > 1;

/** The model, where vLLM would give back what lies behind the windows of some of its layers. */
function windowedModel({ draft }: RuleContext): ReturnType<typeof placeOf> | null {
  const window = draft.model?.value.shape.slidingWindow;
  if (draft.engine.hybridKvCache?.value !== true || window?.kind !== 'sliding') return null;
  return window.localLayers > 0 && window.globalLayers > 0 ? placeOf(draft, draft.model) : null;
}

/** The model, where no layer sees everything and sequences may grow past the window. */
function wholeWindows({ draft }: RuleContext): ReturnType<typeof placeOf> | null {
  const window = draft.model?.value.shape.slidingWindow;
  if (window === undefined || window.globalLayers > 0) return null;
  return (draft.engine.maxModelLen?.value ?? 0) > window.tokens ? placeOf(draft, draft.model) : null;
}

/** Groups of layers share the pool, but for prompts that begin alike. */
const runsGroups = (context: RuleContext): boolean =>
  !isLayerKv(context) &&
  !isPipelined(context) &&
  entryAtPath(context.root, KV_OFFLOAD) === undefined &&
  windowedModel(context) !== null;

function sharesKv({ draft }: RuleContext): boolean {
  if (draft.engine.prefixCaching?.value !== true) return false;
  return beginsAlike(draft) || draft.workload.trace?.value?.columns.promptIds !== undefined;
}

const WINDOWS = 'This model has layers with a sliding window';
const IN_FULL = 'the KV of all layers is counted in full, and the real pool holds more than predicted here.';

/** Data-parallel ranks of a mixture of experts, which the engine steps together or runs freely. */
function expertRanks({ draft }: RuleContext, together: boolean): ReturnType<typeof placeOf> | null {
  const { model, data, pipeline, engine } = draft;
  if (model?.value.shape.moe === undefined || data === null || data.value === 1) return null;
  const steps = ranksStepTogether({
    model: model.value.shape,
    scheduler: engine.scheduler?.value ?? 'v0',
    parallelism: { data: data.value, pipeline: pipeline?.value ?? 1 },
  });
  return steps === together ? placeOf(draft, data) : null;
}

const ROWS: readonly Row[] = [
  {
    find: (context) => expertRanks(context, true),
    message:
      'Data-parallel ranks of a mixture of experts are simulated step by step together, as vLLM runs them, but no published measurement that we know has such ranks: how sure the figures are is said from deployments without. Calibrate before you rely on them.',
  },
  {
    find: (context) => expertRanks(context, false),
    message:
      'Data-parallel ranks of a mixture of experts step together in vLLM. Under v0 and beside pipeline parallelism they are simulated each by itself: a prompt on one rank holds up the decodes of the others, and here it does not.',
  },
  {
    find: wholeWindows,
    message:
      'All layers of this model have a sliding window. Their KV is counted in full: in vLLM a sequence takes no more than the window.',
  },
  {
    find: cacheBesideLayerKv,
    message:
      'LayerKV is simulated without prefix caching, and without a host tier behind it: nothing is published on layers that several requests share. vLLM beside it has both, so a comparison puts LayerKV at that disadvantage.',
  },
  {
    find: cacheInPipeline,
    message: 'Prefix caching is not simulated together with pipeline parallelism: the prediction ignores it.',
  },
  {
    find: cacheUnderV0,
    message: "Prefix caching is simulated for vLLM's v1 scheduler only: under v0 the prediction ignores it.",
  },
  {
    find: (context) => hostTierOfStrangers(context, 'offloading'),
    message:
      'No two prompts of this workload begin alike, so the host tier helps only requests that resume after a preemption. State `workload.sharedPrefix`, or a trace with `hash_ids`, where prompts have beginnings in common.',
  },
  {
    find: (context) => hostTierOfStrangers(context, 'lmcache'),
    message:
      'No two prompts of this workload begin alike: LMCache makes each prompt wait until it is stored, and gives prompts back only to requests that resume after a preemption. State `workload.sharedPrefix`, or a trace with `hash_ids`, where prompts have beginnings in common.',
  },
  {
    find: (context) => hostTier(context, false),
    message:
      'The host tier is simulated behind the prefix cache only: with `prefixCaching: false` the prediction ignores it.',
  },
  {
    find: ({ root, draft }) =>
      draft.engine.kvOffloadConnector?.value === 'offloading'
        ? (entryAtPath(root, [...KV_OFFLOAD, 'chunkTokens'])?.keyRange ?? null)
        : null,
    message:
      'OffloadingConnector moves KV block by block: the prediction ignores `chunkTokens`. Add `connector: lmcache` where LMCache is meant.',
  },
  {
    find: (context) => (isLayerKv(context) ? windowedModel(context) : null),
    message: `${WINDOWS}. LayerKV is simulated with the KV of all layers in full (none is published that gives windows back); vLLM beside it gives them back, so a comparison puts LayerKV at that disadvantage.`,
  },
  {
    find: (context) => (isPipelined(context) && !isLayerKv(context) ? windowedModel(context) : null),
    message: `${WINDOWS}. Beside pipeline parallelism ${IN_FULL}`,
  },
  {
    find: (context) => (runsGroups(context) && sharesKv(context) ? windowedModel(context) : null),
    message: `${WINDOWS}, and prompts of this workload begin alike: beside their prefix cache ${IN_FULL} \`engine.prefixCaching: false\` simulates the windows instead.`,
  },
  {
    find: (context) => {
      const caches = context.draft.engine.prefixCaching?.value === true;
      return caches && runsGroups(context) && !sharesKv(context) ? windowedModel(context) : null;
    },
    message: `${WINDOWS}, whose KV is given back as the window moves on. That is simulated without the prefix cache: requests that resume after a preemption are computed again in full, so a pool that is short costs more here than in vLLM, above all before 0.20.`,
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
