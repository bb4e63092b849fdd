/**
 * Published start-up logs of vLLM, one row a run: what was deployed, and the pool it printed. Row numbers in names are those
 * of docs/vllm.md, H4. `kvGiB` is printed with two decimals; blocks and tokens are exact.
 */
import type { ModelShape, SchedulerKind, WeightDtype } from '../../src/engine/types.ts';
import { LLAMA32_1B, QWEN3_4B, QWEN3_06B, QWEN25_15B } from './startupModels.ts';

export interface StartupLog {
  readonly name: string;
  readonly source: string;
  /** Catalogue id, or a shape from its published config.json. */
  readonly model: string | ModelShape;
  readonly weightDtype?: WeightDtype;
  readonly kvDtype?: 'fp8';
  /** Catalogue id; `totalGiB` where the log prints another total. */
  readonly gpu: string;
  readonly totalGiB?: number;
  readonly tensor?: number;
  readonly interconnect?: 'nvlink';
  readonly version: string;
  readonly scheduler?: SchedulerKind;
  readonly utilization: number;
  readonly maxModelLen: number;
  readonly maxNumSeqs?: number;
  readonly maxNumBatchedTokens?: number;
  readonly enforceEager?: true;
  /** The log says so: FlashInfer was installed, which a plan cannot state. */
  readonly flashInfer?: true;
  readonly published: {
    readonly kvGiB?: number;
    readonly kvBytes?: number;
    readonly blocks?: number;
    readonly tokens?: number;
    readonly weightsGiB?: number;
    readonly activationGiB?: number;
  };
  /** Why the printed pool cannot be a test of the memory law; the other figures still are. */
  readonly notAPool?: string;
}

const LLAMA_8B = 'meta-llama/Llama-3.1-8B-Instruct';
const LLAMA_70B = 'meta-llama/Llama-3.1-70B-Instruct';
/** Qwen2-7B has the shape of Qwen2.5-7B. */
const QWEN_7B = 'Qwen/Qwen2.5-7B-Instruct';

const VLLM = 'https://github.com/vllm-project/vllm';
const LLMD = 'llm-d-benchmark, config_explorer/empirical-vllm-memory-results.md';
const A100_LOGS = 'https://github.com/dennislee22/vLLM-benchmarking, log/';

const H100_LLMD = { gpu: 'H100', totalGiB: 79.18, version: '0.10.2', maxModelLen: 16000, source: LLMD } as const;

export const STARTUP_LOGS: readonly StartupLog[] = [
  {
    name: '3: Llama-2-7B, MI300X',
    source: 'public log of vLLM on ROCm',
    model: 'meta-llama/Llama-2-7b-hf',
    gpu: 'MI300X',
    version: '0.6.2',
    utilization: 0.9,
    maxModelLen: 4096,
    published: { weightsGiB: 12.5523, blocks: 20186 },
  },
  {
    name: '4: Llama-3-8B, MI300X',
    source: 'https://rocm.blogs.amd.com (vLLM on MI300X)',
    model: 'meta-llama/Meta-Llama-3-8B-Instruct',
    gpu: 'MI300X',
    version: '0.5.5',
    utilization: 0.9,
    maxModelLen: 8192,
    published: { blocks: 78897 },
  },
  {
    name: '4b: Llama-3-8B, MI300X, KV in fp8',
    source: 'https://rocm.blogs.amd.com (vLLM on MI300X)',
    model: 'meta-llama/Meta-Llama-3-8B-Instruct',
    kvDtype: 'fp8',
    gpu: 'MI300X',
    version: '0.5.5',
    utilization: 0.9,
    maxModelLen: 8192,
    published: { blocks: 157794 },
  },
  {
    name: '7: Llama-3.1-8B, RTX 3090, 20000 tokens',
    source: `${VLLM}/issues/10517`,
    model: LLAMA_8B,
    gpu: 'RTX 3090',
    version: '0.6.4',
    utilization: 0.9,
    maxModelLen: 20000,
    published: { weightsGiB: 14.9888, activationGiB: 2.07, kvGiB: 3.81, blocks: 1952 },
  },
  {
    name: '8: Llama-3.1-8B, RTX 3090, 29000 tokens',
    source: `${VLLM}/issues/10517`,
    model: LLAMA_8B,
    gpu: 'RTX 3090',
    version: '0.6.4',
    utilization: 0.9,
    maxModelLen: 29000,
    published: { weightsGiB: 14.9888, activationGiB: 2.99, kvGiB: 2.89, blocks: 1478 },
  },
  {
    name: '9: Llama-3.1-8B, RTX 3090, 35000 tokens in chunks of 512',
    source: `${VLLM}/issues/10517`,
    model: LLAMA_8B,
    gpu: 'RTX 3090',
    version: '0.6.4',
    utilization: 0.9,
    maxModelLen: 35000,
    maxNumBatchedTokens: 512,
    published: { activationGiB: 0.06 },
    notAPool: 'no pool printed',
  },
  {
    name: '10: DeepSeek-R1-Distill-Qwen-14B, 2 × RTX 4090',
    source: `${VLLM}/issues/13061`,
    model: 'Qwen/Qwen2.5-14B-Instruct',
    gpu: 'RTX 4090',
    totalGiB: 23.55,
    tensor: 2,
    version: '0.7.2',
    utilization: 0.98,
    maxModelLen: 131072,
    maxNumBatchedTokens: 2048,
    // The printed 81,536 tokens are those of the other worker, which had less memory free.
    published: { weightsGiB: 13.9476, activationGiB: 0.19, kvGiB: 8.69 },
  },
  {
    name: '11: Llama-3.1-8B, A10',
    source: 'Oracle AI blueprints, documentation',
    model: LLAMA_8B,
    gpu: 'A10',
    version: '0.7.3',
    utilization: 0.9,
    maxModelLen: 131072,
    maxNumBatchedTokens: 2048,
    published: { weightsGiB: 14.99, activationGiB: 0.22, kvGiB: 4.6, blocks: 2356 },
  },
  {
    name: '12: Llama-3.1-8B, A100 80GB',
    source: 'public log (a book, example 4-3); the longest sequence is not shown, 2048 and 8192 differ by 0.1 %',
    model: LLAMA_8B,
    gpu: 'A100 80GB SXM4',
    totalGiB: 79.14,
    version: '0.6.6',
    utilization: 0.9,
    maxModelLen: 2048,
    published: { weightsGiB: 14.99, activationGiB: 1.19, kvGiB: 54.93 },
  },
  {
    name: '13: Qwen2.5-1.5B, T4',
    source: 'public notebook log',
    model: QWEN25_15B,
    gpu: 'T4',
    version: '0.7.3',
    utilization: 0.5,
    maxModelLen: 32768,
    published: { weightsGiB: 2.89, activationGiB: 2.02, kvGiB: 2.36, blocks: 5519 },
  },
  {
    name: '14: Qwen2.5-7B, V100 32GB',
    source: 'public log',
    model: QWEN_7B,
    gpu: 'V100S 32GB PCIe',
    version: '0.8.5',
    scheduler: 'v0',
    utilization: 0.9,
    maxModelLen: 32768,
    published: { weightsGiB: 14.25, activationGiB: 4.35, kvGiB: 9.88 },
  },
  {
    name: '15: Qwen2.5-7B, RTX 3090',
    source: 'public log (notes on vLLM)',
    model: QWEN_7B,
    gpu: 'RTX 3090',
    version: '0.7.3',
    utilization: 0.9,
    maxModelLen: 8192,
    published: { weightsGiB: 14.25, kvGiB: 5.77, blocks: 6749 },
    notAPool: 'the limit of sequences is not shown; the peak of 1.09 GiB is below what sampling 256 of them takes',
  },
  {
    name: '16: DeepSeek-R1-0528-Qwen3-8B, 4 × A10',
    source: 'public log',
    model: 'Qwen/Qwen3-8B',
    gpu: 'A10',
    totalGiB: 21.48,
    tensor: 4,
    version: '0.8.5',
    scheduler: 'v0',
    utilization: 0.93,
    maxModelLen: 65536,
    maxNumBatchedTokens: 8192,
    enforceEager: true,
    published: { weightsGiB: 3.85, activationGiB: 1.45, kvGiB: 14.49 },
  },
  {
    name: '18: Qwen3-4B, RTX 2060 12GB',
    source: 'public log',
    model: QWEN3_4B,
    gpu: 'RTX 3090',
    totalGiB: 12.0,
    version: '0.8.5',
    scheduler: 'v0',
    utilization: 0.95,
    maxModelLen: 10000,
    maxNumSeqs: 1,
    published: { weightsGiB: 7.5552, activationGiB: 0.74, kvGiB: 3.06, blocks: 1394 },
  },
  {
    name: 'Qwen2.5-1.5B with a head of its own, RTX 8 GB',
    source: `${VLLM}/issues/12529`,
    model: { ...QWEN25_15B, tieEmbeddings: false },
    gpu: 'RTX 3090',
    totalGiB: 7.75,
    version: '0.7.3',
    utilization: 0.9,
    maxModelLen: 2000,
    published: { weightsGiB: 3.3414, activationGiB: 1.39, kvGiB: 2.2, blocks: 5148 },
  },
  {
    name: 'Llama-3.1-8B (by its weights), 2 × V100 16GB',
    source: `${VLLM}/issues/11251`,
    model: LLAMA_8B,
    gpu: 'V100S 32GB PCIe',
    totalGiB: 15.77,
    tensor: 2,
    version: '0.6.4',
    utilization: 0.9,
    maxModelLen: 40000,
    published: { weightsGiB: 7.51, activationGiB: 2.53, kvGiB: 3.76, blocks: 3852 },
  },
  {
    name: 'Meta-Llama-3-8B, H100, profiling before its overhaul',
    source: `${VLLM}/pull/10511`,
    model: 'meta-llama/Meta-Llama-3-8B-Instruct',
    gpu: 'H100',
    version: '0.6.5',
    utilization: 0.9,
    maxModelLen: 8192,
    published: { weightsGiB: 14.96, activationGiB: 1.26 },
    notAPool: 'printed while the branch still counted 1.79 GiB of other memory',
  },
  {
    name: '22: Llama-3.1-8B, H100',
    ...H100_LLMD,
    model: LLAMA_8B,
    utilization: 0.9,
    published: { weightsGiB: 14.99, activationGiB: 4.76, kvGiB: 51.38 },
  },
  {
    name: '23: Qwen3-0.6B, H100',
    ...H100_LLMD,
    model: QWEN3_06B,
    utilization: 0.9,
    published: { weightsGiB: 1.12, activationGiB: 5.56, kvGiB: 64.45 },
  },
  {
    name: '24: Qwen3-32B, H100',
    ...H100_LLMD,
    model: 'Qwen/Qwen3-32B',
    utilization: 0.9,
    published: { weightsGiB: 61.03, activationGiB: 5.64, kvGiB: 4.45 },
  },
  {
    name: '25: Llama-3.3-70B in fp8, 2 × H100',
    ...H100_LLMD,
    model: LLAMA_70B,
    weightDtype: 'fp8',
    tensor: 2,
    interconnect: 'nvlink',
    utilization: 0.9,
    published: { weightsGiB: 33.88, activationGiB: 4.84, kvGiB: 32.0 },
  },
  {
    name: '26: Llama-3.3-70B in fp8, H100',
    ...H100_LLMD,
    model: LLAMA_70B,
    weightDtype: 'fp8',
    utilization: 0.9,
    published: { weightsGiB: 67.72, activationGiB: 4.84, kvGiB: -1.44 },
    notAPool: 'it does not start',
  },
  {
    name: '27: gpt-oss-20b, H100',
    ...H100_LLMD,
    model: 'openai/gpt-oss-20b',
    weightDtype: 'mxfp4',
    utilization: 0.9,
    published: { weightsGiB: 13.47, activationGiB: 7.38, kvGiB: 50.28 },
  },
  {
    name: '28: gpt-oss-120b, H100',
    ...H100_LLMD,
    model: 'openai/gpt-oss-120b',
    weightDtype: 'mxfp4',
    utilization: 0.95,
    published: { weightsGiB: 64.38, activationGiB: 7.38, kvGiB: 3.33 },
  },
  {
    name: '29: Llama-3.1-8B, A100 40GB',
    source: 'https://github.com/ilseokoh/vllm-gce',
    model: LLAMA_8B,
    gpu: 'A100 40GB SXM4',
    version: '0.15.1',
    utilization: 0.9,
    maxModelLen: 131072,
    maxNumBatchedTokens: 8192,
    enforceEager: true,
    published: { weightsGiB: 14.99, kvGiB: 19.28, tokens: 157_936 },
  },
  {
    name: '30: Llama-3.1-8B, A100 40GB',
    source: 'public log (a notebook on a cloud)',
    model: LLAMA_8B,
    gpu: 'A100 40GB SXM4',
    version: '0.10.1',
    utilization: 0.9,
    maxModelLen: 131072,
    published: { weightsGiB: 14.9889, kvGiB: 19.25, tokens: 157_648 },
  },
  {
    name: '32: Qwen2-7B, A100 80GB, a quarter of it',
    source: `${A100_LOGS}vllm-7B-1gpuA10080GB-0.25GRAM.log`,
    model: QWEN_7B,
    gpu: 'A100 80GB SXM4',
    version: '0.10.1.1',
    utilization: 0.25,
    maxModelLen: 16384,
    flashInfer: true,
    published: { weightsGiB: 14.2488, kvGiB: 5.01, tokens: 93_872 },
  },
  {
    name: '32b: Qwen2-7B, A100 80GB, half of it',
    source: `${A100_LOGS}vllm-7B-1gpuA10080GB-0.5GRAM.log`,
    model: QWEN_7B,
    gpu: 'A100 80GB SXM4',
    version: '0.10.1.1',
    utilization: 0.5,
    maxModelLen: 16384,
    flashInfer: true,
    published: { weightsGiB: 14.2488, kvGiB: 24.83 },
  },
  {
    name: '33: Qwen2-7B, 2 × A100 80GB',
    source: `${A100_LOGS}vllm-7B-2gpuA10080GB-0.5GRAM-same-node.log`,
    model: QWEN_7B,
    gpu: 'A100 80GB SXM4',
    tensor: 2,
    version: '0.10.1.1',
    utilization: 0.5,
    maxModelLen: 16384,
    flashInfer: true,
    published: { weightsGiB: 7.1217, kvGiB: 31.83, tokens: 1_192_160 },
  },
  {
    name: '35: gpt-oss-120b, 4 × A100 80GB',
    source: `${A100_LOGS}vllm-120B-4gpuA10080GB-0.8GRAM-diff-nodes.log`,
    model: 'openai/gpt-oss-120b',
    weightDtype: 'mxfp4',
    gpu: 'A100 80GB SXM4',
    tensor: 4,
    version: '0.10.1.1',
    utilization: 0.8,
    maxModelLen: 16384,
    flashInfer: true,
    published: { weightsGiB: 17.2217, kvGiB: 45.32 },
  },
  {
    name: '36: Qwen3-235B-A22B in fp8, 4 × H100',
    source: `${VLLM}/issues/21348; with LMCache's connector, whose memory and NCCL's on four ranks the log does not split off`,
    model: 'Qwen/Qwen3-235B-A22B',
    weightDtype: 'fp8',
    gpu: 'H100',
    tensor: 4,
    interconnect: 'nvlink',
    version: '0.10.0',
    utilization: 0.9,
    maxModelLen: 40960,
    published: { kvGiB: 8.11 },
  },
  {
    name: '40: Llama-3.2-1B, 44 GiB GPU',
    source: 'public log at debug level',
    model: LLAMA32_1B,
    gpu: 'L40S',
    totalGiB: 44.31,
    version: '0.10.0',
    utilization: 0.9,
    maxModelLen: 131072,
    flashInfer: true,
    published: { weightsGiB: 2.3185, activationGiB: 0.45, kvGiB: 37.1, tokens: 1_215_552 },
  },
  {
    name: 'Qwen3-8B in fp8, RTX 4090',
    source: 'public log at debug level',
    model: 'Qwen/Qwen3-8B',
    weightDtype: 'fp8',
    gpu: 'RTX 4090',
    totalGiB: 23.53,
    version: '0.10.2',
    utilization: 0.8,
    maxModelLen: 1024,
    published: { weightsGiB: 8.8, activationGiB: 1.4, kvGiB: 8.6, kvBytes: 9_232_221_491, tokens: 62_608 },
  },
  {
    name: 'Mistral-7B in int4 (GPTQ), GB10',
    source: 'learn.arm.com, learning path on a DGX Spark',
    model: 'mistralai/Mistral-7B-Instruct-v0.2',
    weightDtype: 'int4',
    gpu: 'L40S',
    version: '0.11.0',
    utilization: 0.9,
    maxModelLen: 32768,
    flashInfer: true,
    published: { weightsGiB: 3.8844, kvGiB: 102.56, tokens: 840_160 },
    notAPool: 'GPU and host share their memory; its total is not printed',
  },
  {
    name: 'gpt-oss-20b, A100 80GB',
    source: 'https://myoceane.fr/index.php/ai-vllm-a100-gemma-4/',
    model: 'openai/gpt-oss-20b',
    weightDtype: 'mxfp4',
    gpu: 'A100 80GB SXM4',
    version: '0.19.0',
    utilization: 0.65,
    maxModelLen: 131072,
    published: { weightsGiB: 13.72, kvGiB: 36.56 },
  },
  {
    name: 'Qwen2.5-0.5B, 24 GB GPU under WSL',
    source: 'public notes on installing vLLM',
    model: 'Qwen/Qwen2.5-0.5B-Instruct',
    gpu: 'RTX 4090',
    totalGiB: 23.99,
    version: '0.27.1',
    utilization: 0.85,
    maxModelLen: 2048,
    published: { weightsGiB: 0.93, activationGiB: 0.25, kvGiB: 18.65, tokens: 1_629_520 },
  },
  {
    name: 'Llama-3.1-8B, A100 80GB, 0.31',
    source: 'public log; the token budget follows from pull request 51726, which made 16384 the default',
    model: LLAMA_8B,
    gpu: 'A100 80GB SXM4',
    totalGiB: 79.25,
    version: '0.31.0',
    utilization: 0.92,
    maxModelLen: 131072,
    maxNumBatchedTokens: 16384,
    published: { weightsGiB: 15.0, activationGiB: 1.44, kvGiB: 56.21, tokens: 460_496 },
  },
];
