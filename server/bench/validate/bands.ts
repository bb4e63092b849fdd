/**
 * The error bands that predictions carry (`server/src/forecast/errorBands.json`): each published measurement goes into
 * every cell that `cellsOf` names for the prediction of it, and a cell with enough of them gets a band.
 */
import type { EngineInput } from '../../src/engine/types.ts';
import {
  type BandRow,
  type BandTable,
  bandOf,
  cellName,
  cellsOf,
  ERROR_FIGURES,
  type ErrorFigure,
  loadKind,
  widest,
} from '../../src/forecast/confidence.ts';
import type { Cell } from '../../src/forecast/types.ts';
import type { Pair } from './calibrated.ts';
import { type ComparedRow, compareRow, type Figures } from './predict.ts';
import { rowInput, type ValidationRow } from './row.ts';

/** With fewer, the 10th and the 90th percentile of `percentile` lie outside of what was measured. */
const MIN_MEASUREMENTS = 9;
/** One bench has one machine, one client and one way to measure: what another one sees it cannot tell. */
const MIN_SOURCES = 2;
const DIGITS = 3;

const PUBLISHED: Readonly<Record<ErrorFigure, keyof Figures>> = {
  ttft: 'ttftMs',
  tpot: 'tpotMs',
  throughput: 'outputTokS',
};

/** One figure of one measurement beside our prediction of it, and where it counts. */
export interface Sample {
  readonly id: string;
  readonly source: string;
  /** Rows of one deployment under several loads share it. */
  readonly deployment: string;
  readonly figure: ErrorFigure;
  /** Measured over predicted. */
  readonly ratio: number;
  readonly cells: readonly Cell[];
}

/**
 * Kernels that stand in for a family as if none of its own had been timed: those of the nearest other one. Families that
 * have none are predicted so anyway.
 */
export const STAND_INS: Readonly<Record<string, string>> = {
  ampere: 'hopper',
  hopper: 'blackwellGddr',
  blackwell: 'hopper',
  adaEcc: 'blackwellGddr',
  ada: 'adaEcc',
  blackwellGddr: 'hopper',
};

/** @returns the samples of all rows but those of low quality. */
export function publishedSamples(rows: readonly ValidationRow[]): readonly Sample[] {
  return judged(rows).flatMap(({ row, input }) => {
    const family = STAND_INS[input.gpu.kernels?.family ?? ''];
    const own = samplesOf(row, input, compareRow(row), null);
    if (family === undefined) return own;
    const stoodIn = compareRow(row, {
      change: (same) => ({ ...same, gpu: { ...same.gpu, kernels: { family, measured: false } } }),
    });
    return [...own, ...samplesOf(row, input, stoodIn, 'standIn')];
  });
}

/** @returns the samples of rows predicted once calibrated on a sibling; a row counts once for each sibling. */
export function calibratedSamples(pairs: readonly Pair[]): readonly Sample[] {
  return pairs.flatMap(({ row, after, costScale }) => {
    const built = rowInput(row);
    return built.ok ? samplesOf(row, { ...built.input, costScale }, after, null) : [];
  });
}

interface Judged {
  readonly row: ValidationRow;
  readonly input: EngineInput;
}

function judged(rows: readonly ValidationRow[]): readonly Judged[] {
  return rows.flatMap((row) => {
    const built = rowInput(row);
    return row.quality === 'low' || !built.ok ? [] : [{ row, input: built.input }];
  });
}

function samplesOf(
  row: ValidationRow,
  input: EngineInput,
  { measured, predicted }: ComparedRow,
  basis: 'standIn' | null,
): readonly Sample[] {
  if (predicted === null) return [];
  return ERROR_FIGURES.flatMap((figure) => {
    const key = PUBLISHED[figure];
    const published = measured[key];
    const ours = predicted[key];
    const named = cellsOf(input, predicted, figure);
    if (published === null || ours === null || published <= 0 || ours <= 0 || named.length === 0) return [];
    const cells = basis === null ? named : widest(basis, loadKind(predicted));
    const deployment = [row.source, row.model, row.gpu, row.tp, row.weightDtype, row.engineVersion].join(' ');
    return [{ id: row.id, source: row.source, deployment, figure, ratio: published / ours, cells }];
  });
}

/** @returns every cell that has enough of a figure. Names ascend, so that the same samples give the same bytes. */
export function bandTable(samples: readonly Sample[]): BandTable {
  const members = new Map<string, Map<ErrorFigure, Sample[]>>();
  for (const sample of samples) {
    for (const cell of sample.cells) {
      const figures = members.get(cellName(cell)) ?? new Map<ErrorFigure, Sample[]>();
      members.set(cellName(cell), figures);
      const list = figures.get(sample.figure) ?? [];
      figures.set(sample.figure, list);
      list.push(sample);
    }
  }
  const rows = [...members].map(([name, figures]) => {
    const bands = ERROR_FIGURES.flatMap((figure) => {
      const band = bandRow(figures.get(figure) ?? []);
      return band === null ? [] : [[figure, band] as const];
    });
    return [name, Object.fromEntries(bands)] as const;
  });
  return Object.fromEntries(
    rows.filter(([, bands]) => Object.keys(bands).length > 0).sort(([a], [b]) => (a < b ? -1 : 1)),
  );
}

function bandRow(samples: readonly Sample[]): BandRow | null {
  const measurements = new Set(samples.map(({ id }) => id)).size;
  const sources = new Set(samples.map(({ source }) => source)).size;
  if (measurements < MIN_MEASUREMENTS || sources < MIN_SOURCES) return null;
  const sorted = samples.map(({ ratio }) => ratio).sort((a, b) => a - b);
  const at = (p: number): number => Number(percentile(sorted, p).toPrecision(DIGITS));
  return [measurements, sources, at(0.1), at(0.5), at(0.9)];
}

/**
 * Type 6: rank p · (n + 1). One more value drawn like the n lies below it with probability p, however few they are;
 * type 7, which describes the n themselves, would make bands too narrow.
 */
export function percentile(sorted: readonly number[], p: number): number {
  const rank = Math.min(Math.max(p * (sorted.length + 1), 1), sorted.length);
  const below = sorted[Math.floor(rank) - 1] ?? Number.NaN;
  const above = sorted[Math.ceil(rank) - 1] ?? below;
  return below + (above - below) * (rank - Math.floor(rank));
}

/**
 * Share of one basis' samples that lie within the band which they would have got, had nothing of their own group been
 * measured; eight of ten by design. Samples without any band then do not count; null where none is left.
 */
export function heldOut(
  samples: readonly Sample[],
  basis: Cell['basis'],
  figure: ErrorFigure,
  group: 'source' | 'deployment',
): number | null {
  const ofFigure = samples.filter((sample) => sample.figure === figure);
  const isJudged = ({ cells }: Sample): boolean => cells[0]?.basis === basis;
  const names = [...new Set(ofFigure.filter(isJudged).map((sample) => sample[group]))];
  const inside = names.flatMap((name) => {
    const table = bandTable(ofFigure.filter((sample) => sample[group] !== name));
    return ofFigure
      .filter((sample) => sample[group] === name && isJudged(sample))
      .flatMap(({ cells, ratio }) => {
        const band = bandOf(cells, figure, table);
        return band === null ? [] : [band.low <= ratio && ratio <= band.high];
      });
  });
  return inside.length === 0 ? null : inside.filter((yes) => yes).length / inside.length;
}

/** The data file: what it is, how the bands fare on measurements they were not made of, and a line a cell. */
export function bandsFile(samples: readonly Sample[]): string {
  const about = [
    'Made by `npm run validate -- FILE --bands` from published vLLM measurements (high and medium quality); do not edit. Explained in docs/confidence.md.',
    'Measured over predicted, of means: [measurements, sources, 10th percentile, median, 90th percentile].',
    'heldOut: share of the measurements within the band that they get when nothing of their own source, or deployment, is in it.',
  ];
  const line = (name: string, value: unknown): string => `    ${JSON.stringify(name)}: ${JSON.stringify(value)}`;
  const block = (entries: readonly (readonly [string, unknown])[]): string =>
    `{\n${entries.map(([name, value]) => line(name, value)).join(',\n')}\n  }`;
  const judgements = (['published', 'standIn', 'calibrated'] as const).map((basis) => {
    const share = (figure: ErrorFigure, group: 'source' | 'deployment'): number | null => {
      const value = heldOut(samples, basis, figure, group);
      return value === null ? null : Number(value.toFixed(2));
    };
    const figures = ERROR_FIGURES.map((figure) => [
      figure,
      { source: share(figure, 'source'), deployment: share(figure, 'deployment') },
    ]);
    return [basis, Object.fromEntries(figures)] as const;
  });
  return `{\n  "about": ${JSON.stringify(about, null, 2).replaceAll('\n', '\n  ')},\n  "heldOut": ${block(judgements)},\n  "cells": ${block(Object.entries(bandTable(samples)))}\n}\n`;
}
