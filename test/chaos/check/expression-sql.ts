/**
 * A metric expression as DuckDB SQL, after the rules of docs/CONTRACT.md: the oracle that outputs are held
 * against. Each distinct part is one common table expression with the columns `t` (microseconds) and `v`;
 * ratios have `z` too, whether the row divided by zero.
 */

import { type Json, textOf } from './facts.ts';

export interface Oracle {
  /** `WITH RECURSIVE …`, to be put before a SELECT. */
  readonly tables: string;
  readonly root: string;
  /** The ratios among the tables, each distinct one once. */
  readonly ratios: readonly string[];
  readonly codes: readonly string[];
}

/** A request's expression that is no expression; what is told of it is EXPRESSION_EVAL_ERROR. */
export class NoExpressionError extends Error {}

const MATH: Readonly<Record<string, string>> = { add: '+', subtract: '-', multiply: '*', ratio: '/' };
const ROLLING: Readonly<Record<string, string>> = { sma: 'avg', sum: 'sum', max: 'max', min: 'min' };
const COMPOSITES: ReadonlySet<string> = new Set(['sum', 'avg', 'max', 'min']);
const DAY_US = 86_400_000_000;

type Form = 'series' | 'series_math' | 'window_op' | 'composite';

const codeOf = (node: Json): string | undefined => textOf(node.series_code) ?? textOf(node.seriesCode);

function formOf(node: Json): Form {
  if (codeOf(node) !== undefined) return 'series';
  if ('operands' in node) return 'composite';
  if ('left' in node && 'right' in node) return 'series_math';
  if ('series' in node && 'window' in node) return 'window_op';
  throw new NoExpressionError(`no form: ${JSON.stringify(node)}`);
}

/** @param sourceSql the SELECT of a series' rows, `t` and `v`, by its code */
export function expressionSql(type: unknown, json: unknown, sourceSql: (code: string) => string): Oracle {
  const tables = new Map<string, string>();
  const ratios = new Set<string>();
  const codes = new Set<string>();

  /** The table of a SELECT; the same one for the same SELECT. */
  function table(sql: string): string {
    const name = tables.get(sql) ?? `n${tables.size}`;
    tables.set(sql, name);
    return name;
  }

  function nodeOf(value: unknown): string {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw new NoExpressionError(`no object: ${JSON.stringify(value)}`);
    }
    const node = value as Json;
    const op = textOf(node.op) ?? '';
    switch (formOf(node)) {
      case 'series': {
        const code = codeOf(node)!;
        codes.add(code);
        return table(sourceSql(code));
      }
      case 'series_math': {
        const sign = MATH[op];
        if (sign === undefined) throw new NoExpressionError(`no such operation: ${op}`);
        const scale = typeof node.scale === 'number' ? node.scale : 1;
        return math(op, sign, nodeOf(node.left), nodeOf(node.right), scale);
      }
      case 'composite': {
        const operands = node.operands as readonly unknown[];
        if (!COMPOSITES.has(op) || !Array.isArray(operands) || operands.length < 2)
          throw new NoExpressionError(`no composite: ${JSON.stringify(node)}`);
        const all = operands.map((operand) => `SELECT t, v FROM ${nodeOf(operand)}`).join(' UNION ALL ');
        return table(`SELECT t, ${op}(v) AS v FROM (${all}) GROUP BY t`);
      }
      case 'window_op': {
        const window = node.window;
        if (!Number.isInteger(window) || (window as number) < 1)
          throw new NoExpressionError(`no window: ${String(window)}`);
        return windowed(op, nodeOf(node.series), window as number, node.unit);
      }
    }
  }

  function math(op: string, sign: string, left: string, right: string, scale: number): string {
    const zero = op === 'ratio' ? 'l.v IS NOT NULL AND r.v = 0' : 'false';
    const value = `CASE WHEN l.v IS NULL OR r.v IS NULL OR (${zero}) THEN NULL ELSE (l.v ${sign} r.v) * (${scale}::DOUBLE) END`;
    const flag = op === 'ratio' ? `, coalesce(${zero}, false) AS z` : '';
    const name = table(
      `SELECT coalesce(l.t, r.t) AS t, ${value} AS v${flag} FROM ${left} l FULL OUTER JOIN ${right} r ON l.t = r.t`,
    );
    if (op === 'ratio') ratios.add(name);
    return name;
  }

  function windowed(op: string, series: string, window: number, unit: unknown): string {
    const rolling = ROLLING[op];
    if (rolling !== undefined) {
      const frame = `OVER (ORDER BY t ROWS BETWEEN ${window - 1} PRECEDING AND CURRENT ROW)`;
      return table(
        `SELECT t, CASE WHEN count(v) ${frame} = ${window} THEN ${rolling}(v) ${frame} END AS v FROM ${series}`,
      );
    }
    if (op === 'lag' && unit === 'observations') {
      return table(`SELECT t, lag(v, ${window}) OVER (ORDER BY t) AS v FROM ${series}`);
    }
    if (op === 'lag') {
      return table(
        `SELECT a.t AS t, b.v AS v FROM ${series} a ASOF LEFT JOIN ${series} b ON a.t - ${window * DAY_US} >= b.t`,
      );
    }
    if (op === 'ema') return ema(series, 2 / (window + 1));
    throw new NoExpressionError(`no such window operation: ${op}`);
  }

  /** Row by row: `v` the average so far, `k` how many rows ago its last value was. */
  function ema(series: string, alpha: number): string {
    const rows = table(`SELECT row_number() OVER (ORDER BY t) AS n, t, v AS x FROM ${series}`);
    const self = `n${tables.size}`;
    const weight = `pow(1 - ${alpha}::DOUBLE, s.k)`;
    const next = `(${weight} * s.v + ${alpha}::DOUBLE * r.x) / (${weight} + ${alpha}::DOUBLE)`;
    return table(
      `SELECT n, t, x AS v, 1 AS k FROM ${rows} WHERE n = 1 UNION ALL
       SELECT r.n, r.t, CASE WHEN r.x IS NULL THEN s.v WHEN s.v IS NULL THEN r.x ELSE ${next} END,
         CASE WHEN r.x IS NULL THEN s.k + 1 ELSE 1 END FROM ${self} s JOIN ${rows} r ON r.n = s.n + 1`,
    );
  }

  const outermost = typeof json === 'object' && json !== null ? formOf(json as Json) : undefined;
  if (outermost !== type) throw new NoExpressionError(`${String(type)} is a ${String(outermost)}`);
  const root = nodeOf(json);
  const list = [...tables].map(([sql, name]) => `${name} AS (${sql})`).join(',\n');
  return { tables: `WITH RECURSIVE ${list}`, root, ratios: [...ratios], codes: [...codes] };
}
