/** Host memory, links, and number formats against what the GPU can do. */
import { formatBytes } from '../quantity.ts';
import { placeOf, type Rule, relatedTo } from './rule.ts';

const poolAboveMemory: Rule = {
  id: 'host-pool-above-host-memory',
  severity: 'warning',
  summary: 'The host pools ask for more memory than the host has.',
  check: ({ draft }) => {
    const { hostMemoryBytes } = draft;
    const { hostPoolBytes } = draft.layerkv;
    if (hostMemoryBytes === null || hostMemoryBytes.value === null || hostPoolBytes === null) return [];
    const offload = draft.engine.kvOffloadHostPoolBytes;
    const wanted = hostPoolBytes.value + (offload?.value ?? 0);
    if (wanted <= hostMemoryBytes.value) return [];
    const range = placeOf(draft, hostPoolBytes, offload, hostMemoryBytes);
    return [
      {
        message: `The host pool of ${formatBytes(wanted)} is above the host memory of ${formatBytes(hostMemoryBytes.value)}. Lower the pool, and leave some memory to the server itself.`,
        range,
        ...relatedTo(range, ['host memory', hostMemoryBytes], ['kvOffload', offload]),
      },
    ];
  },
};

const cannotAct: Rule = {
  id: 'layerkv-cannot-act',
  severity: 'information',
  summary: 'With a host link or host pool of 0 LayerKV has nowhere to move KV: the prediction is plain vLLM.',
  check: ({ draft }) => {
    const { hostLinkGBs } = draft;
    const { hostPoolBytes, enabled } = draft.layerkv;
    if (hostLinkGBs === null || hostPoolBytes === null || enabled?.value !== true) return [];
    const zero = hostLinkGBs.value === 0 ? hostLinkGBs : hostPoolBytes.value === 0 ? hostPoolBytes : null;
    if (zero === null) return [];
    const what = zero === hostLinkGBs ? 'no bandwidth to the host' : 'no host pool';
    const range = placeOf(draft, zero, enabled);
    return [
      {
        message: `LayerKV is on but has ${what}: it cannot act, and the prediction is that of plain vLLM. State a value above 0 to see its effect.`,
        range,
        ...relatedTo(range, ['LayerKV is on', enabled]),
      },
    ];
  },
};

const weightsUnpacked: Rule = {
  id: 'weights-unpacked',
  severity: 'information',
  summary:
    'The GPU has no arithmetic in the weights’ format: they are unpacked to 16 bit, memory is saved but no compute time.',
  check: ({ draft }) => {
    const { gpu, weightDtype } = draft;
    if (gpu === null || weightDtype === null) return [];
    const { fp8FlopsPerS, int8OpsPerS, fp4FlopsPerS } = gpu.value.facts;
    const rates: Readonly<Record<string, number>> = { fp8: fp8FlopsPerS, int8: int8OpsPerS, nvfp4: fp4FlopsPerS };
    if (rates[weightDtype.value] !== 0) return [];
    const range = placeOf(draft, weightDtype, gpu);
    return [
      {
        message: `${gpu.value.id} has no ${weightDtype.value} arithmetic: the weights take less memory, but are computed in 16 bit, so prompts take as long as with bf16.`,
        range,
        ...relatedTo(range, ['the GPU', gpu]),
      },
    ];
  },
};

const activationsUnsupported: Rule = {
  id: 'activations-unsupported',
  severity: 'warning',
  summary: 'The stated activation format has no arithmetic on this GPU.',
  check: ({ draft }) => {
    const { gpu } = draft;
    const { activationDtype } = draft.engine;
    if (gpu === null || activationDtype === null || activationDtype.origin !== 'stated') return [];
    const { fp8FlopsPerS, int8OpsPerS } = gpu.value.facts;
    const rate = { bf16: 1, fp8: fp8FlopsPerS, int8: int8OpsPerS }[activationDtype.value];
    if (rate > 0) return [];
    const range = placeOf(draft, activationDtype);
    return [
      {
        message: `${gpu.value.id} has no ${activationDtype.value} arithmetic; the prediction computes in 16 bit. Write \`bf16\`, or choose another GPU.`,
        range,
        ...relatedTo(range, ['the GPU', gpu]),
      },
    ];
  },
};

/** Rules of this theme. */
export const hardwareRules: readonly Rule[] = [poolAboveMemory, cannotAct, weightsUnpacked, activationsUnsupported];
