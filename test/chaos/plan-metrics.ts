/** Metric runs: a few small datasets, expressions of every shape, some of them wrong. */

import type { Row } from '../support/conformance-cases.ts';
import { plainRequest, v1Request } from '../support/metric-requests.ts';
import type { Dice } from './dice.ts';
import { type Part, type PlannedDataset, type PlannedRequest, SENDING_MS, type Stress } from './plan.ts';

const DAY_US = 86_400_000_000;
const FIRST_DAY = 19_000;
const MATH = ['add', 'subtract', 'multiply', 'ratio'] as const;
const WINDOWS = ['sma', 'sum', 'max', 'min', 'ema', 'lag'] as const;
const COMPOSITES = ['sum', 'avg', 'max', 'min'] as const;

type Json = Readonly<Record<string, unknown>>;

/** A series with gaps, nulls and zeros; some are out of order, with times that come twice. */
function series(dice: Dice): Row[] {
  const days = dice.whole(4, 40);
  const rows: Row[] = [];
  for (let day = 0; day < days; day++) {
    if (dice.chance(0.15)) continue;
    const value = dice.chance(0.08) ? null : dice.chance(0.06) ? 0 : dice.whole(-400, 1_600) / 8;
    rows.push([(FIRST_DAY + day) * DAY_US, value]);
    if (dice.chance(0.05)) rows.push([(FIRST_DAY + day) * DAY_US, dice.whole(0, 800) / 8]);
  }
  return dice.chance(0.25) ? dice.shuffled(rows) : rows;
}

function datasets(dice: Dice): PlannedDataset[] {
  return ['d', 'e'].map((id) => ({
    id,
    series: Object.fromEntries(
      Array.from({ length: dice.whole(2, 3) }, (_, i) => [`${id.toUpperCase()}${i}`, series(dice)]),
    ),
  }));
}

function leaf(dice: Dice, codes: readonly string[]): Json {
  const code = dice.pick(codes);
  return dice.chance(0.5) ? { series_code: code } : { seriesCode: code };
}

interface Shape {
  readonly type: string;
  readonly json: Json;
}

function expression(dice: Dice, codes: readonly string[], depth: number): Shape {
  const operand = (): Json =>
    depth > 0 && dice.chance(0.35) ? expression(dice, codes, depth - 1).json : leaf(dice, codes);
  const form = dice.pick(['series_math', 'window_op', 'composite'] as const);
  switch (form) {
    case 'series_math': {
      const scale = dice.chance(0.4) ? { scale: dice.pick([100, -1, 0.5, 0]) } : {};
      return { type: form, json: { op: dice.pick(MATH), left: operand(), right: operand(), ...scale } };
    }
    case 'window_op': {
      const op = dice.pick(WINDOWS);
      const unit = op === 'lag' && dice.chance(0.5) ? { unit: 'observations' } : {};
      return { type: form, json: { op, series: operand(), window: dice.whole(1, 6), ...unit } };
    }
    case 'composite': {
      const operands = Array.from({ length: dice.whole(2, 3) }, operand);
      return { type: form, json: { op: dice.pick(COMPOSITES), operands } };
    }
  }
}

/** Requests that cannot succeed, each for a reason of its own. */
function wrong(dice: Dice, codes: readonly string[]): Shape {
  const series = leaf(dice, codes);
  return dice.pick<Shape>([
    { type: 'series_math', json: { op: 'power', left: series, right: series } },
    { type: 'window_op', json: { op: 'sma', series, window: 0 } },
    { type: 'composite', json: { op: 'sum', operands: [series] } },
    { type: 'series_math', json: { op: 'add', left: series, right: { seriesCode: 'NOT_THERE' } } },
    { type: 'teapot', json: { op: 'add' } },
  ]);
}

export function planMetrics(dice: Dice, stress: Stress): Part {
  const made = datasets(dice);
  const home = new Map(made.flatMap(({ id, series }) => Object.keys(series).map((code) => [code, id])));
  const count = stress === 'metric' ? dice.whole(14, 20) : dice.whole(3, 6);
  const requests = Array.from({ length: count }, (_, i): PlannedRequest => {
    const codes = dice.chance(0.3) ? [...home.keys()] : Object.keys(dice.pick(made).series);
    const { type, json } = dice.chance(0.1) ? wrong(dice, codes) : expression(dice, codes, 2);
    const runId = dice.uuid();
    const metricCode = `m.${dice.whole(0, 3)}`;
    const inputs: Record<string, string[]> = {};
    for (const code of new Set(JSON.stringify(json).match(/(?<="series_?[cC]ode":")[^"]+/g))) {
      const id = home.get(code) ?? 'd';
      inputs[id] = [...(inputs[id] ?? []), code];
    }
    const make = dice.chance(0.5) ? plainRequest : v1Request;
    const request = make({ runId, metricCode, expressionType: type, expressionJson: json, inputs });
    return {
      id: runId,
      kind: 'metric',
      body: JSON.stringify(request),
      groupId: dice.chance(0.7) ? metricCode : `run:${i}`,
      deduplicationId: runId,
      at: dice.whole(0, SENDING_MS),
    };
  });
  return { datasets: made, requests };
}
