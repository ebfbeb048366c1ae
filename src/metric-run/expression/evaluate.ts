/**
 * Carries out an expression over its series, as a stream of batches.
 *
 * Invariants: each distinct series is opened once, at the first pull that needs it, and equal
 * subexpressions are evaluated once; what is held is a few batches for each operation, and its window;
 * the batches handed out belong to the receiver alone, buffers included, so they may be transferred.
 */

import { InvalidRequestError } from '../../common/errors.ts';
import { BATCH_ROWS, type SeriesBatch, type SeriesSource } from '../../lake/series-batch.ts';
import { align } from './align.ts';
import { composite } from './composite.ts';
import { ema } from './ema.ts';
import { type Expression, operandsOf, type WindowExpression } from './expression.ts';
import { type Flow, type Frame, type Kernel, kernelFlow } from './frame.ts';
import { lagByDays, lagByRows } from './lag.ts';
import { countNulls, type Quality } from './quality.ts';
import { rollingMax, rollingMean, rollingMin, rollingSum } from './rolling.ts';
import { seriesMath } from './series-math.ts';
import { sourceFlow } from './source-flow.ts';
import { tee } from './tee.ts';

export interface EvaluateOptions {
  /** About how many rows a batch has, inside and at the end. Default `BATCH_ROWS`. */
  readonly batchRows?: number;
  /** More rows than these in the result are an EXPRESSION_EVAL_ERROR. Default: no limit. */
  readonly maxRows?: number;
}

/** The result, to be pulled like a series. */
export interface Evaluation extends SeriesSource {
  /** The counts so far: those of the whole result once `next` has given undefined. */
  quality(): Readonly<Quality>;
}

/** A subexpression, once however often it occurs. */
interface Plan {
  readonly id: number;
  readonly expression: Expression;
  readonly inputs: readonly Plan[];
  /** How many operands it is. */
  uses: number;
  /** The branches of its tee that no operand has taken yet. */
  branches: Flow[];
}

/**
 * The result of `expression`, lazily: nothing is opened before the first `next`.
 *
 * `openSource` gives the sorted, distinct rows of a series code; what it or a source throws, `next` throws,
 * after closing every source. `close` closes every opened source once, whatever the others throw.
 */
export function evaluate(
  expression: Expression,
  openSource: (code: string) => SeriesSource,
  options: EvaluateOptions = {},
): Evaluation {
  const { batchRows = BATCH_ROWS, maxRows = Number.POSITIVE_INFINITY } = options;
  const quality: Quality = { nulls: 0, divisionsByZero: 0 };
  const opened: SeriesSource[] = [];
  let closing: Promise<void> | undefined;
  let failure: { readonly error: unknown } | undefined;
  let ended = false;
  let rows = 0;

  function open(code: string): SeriesSource {
    throwIfClosed();
    const source = openSource(code);
    opened.push(source);
    return source;
  }

  function throwIfClosed(): void {
    if (failure !== undefined) throw failure.error;
    if (closing !== undefined) throw new Error('The evaluation is closed.');
  }

  function close(): Promise<void> {
    closing ??= closeAll(opened);
    return closing;
  }

  const shared = new Map<string, Plan>();
  const root = planOf(expression, shared);
  // Where there is a tee, others may still read the times of a frame that goes out.
  const mayShareTimes = [...shared.values()].some((plan) => plan.uses > 1);
  const result = flowOf(root, { open, batchRows, quality });

  return {
    async next() {
      throwIfClosed();
      if (ended) return undefined;
      try {
        const frame = await result.next();
        throwIfClosed();
        if (frame === undefined) {
          ended = true;
          return undefined;
        }
        rows += frame.times.length;
        if (rows > maxRows) {
          throw new InvalidRequestError('EXPRESSION_EVAL_ERROR', `The result has more than ${maxRows} rows.`);
        }
        quality.nulls += countNulls(frame.values);
        return toBatch(frame, mayShareTimes);
      } catch (error) {
        failure ??= { error };
        await close().catch(() => undefined);
        throw error;
      }
    },
    close,
    quality: () => ({ ...quality }),
  };
}

async function closeAll(sources: readonly SeriesSource[]): Promise<void> {
  const results = await Promise.allSettled(sources.map(async (source) => source.close()));
  for (const result of results) if (result.status === 'rejected') throw result.reason;
}

/** The plan of `expression`, equal parts of which are one; `shared` keeps them by what they are. */
function planOf(expression: Expression, shared: Map<string, Plan>): Plan {
  const inputs = operandsOf(expression).map((operand) => planOf(operand, shared));
  const key = keyOf(
    expression,
    inputs.map((input) => input.id),
  );
  let plan = shared.get(key);
  if (plan === undefined) {
    plan = { id: shared.size, expression, inputs, uses: 0, branches: [] };
    shared.set(key, plan);
    for (const input of inputs) input.uses++;
  }
  return plan;
}

/** A text that is the same for the same operation on the same inputs. */
function keyOf(part: Expression, inputs: readonly number[]): string {
  switch (part.kind) {
    case 'series':
      return JSON.stringify(['series', part.code]);
    case 'math':
      return JSON.stringify(['math', part.op, part.scale, inputs]);
    case 'window':
      return JSON.stringify(['window', part.op, part.window, part.unit, inputs]);
    case 'composite':
      return JSON.stringify(['composite', part.op, inputs]);
  }
}

interface Surroundings {
  readonly open: (code: string) => SeriesSource;
  readonly batchRows: number;
  readonly quality: Quality;
}

/** A flow of what `plan` gives; a branch of its tee where it is an operand more than once. */
function flowOf(plan: Plan, around: Surroundings): Flow {
  if (plan.uses <= 1) return operatorOf(plan, around);
  if (plan.branches.length === 0) plan.branches = tee(operatorOf(plan, around), plan.uses);
  return plan.branches.pop()!;
}

function operatorOf(plan: Plan, around: Surroundings): Flow {
  const { expression } = plan;
  const inputs = plan.inputs.map((input) => flowOf(input, around));
  switch (expression.kind) {
    case 'series':
      return sourceFlow(() => around.open(expression.code), around.batchRows);
    case 'math':
      return seriesMath(expression.op, expression.scale, align(inputs, around.batchRows), around.quality);
    case 'composite':
      return composite(expression.op, align(inputs, around.batchRows));
    case 'window':
      return windowFlow(inputs[0]!, expression);
  }
}

function windowFlow(input: Flow, { op, unit, window }: WindowExpression): Flow {
  // Over a single row each of them is the row itself.
  if (window === 1 && op !== 'ema' && op !== 'lag') return input;
  return kernelFlow(input, kernelOf(op, unit, window));
}

function kernelOf(op: WindowExpression['op'], unit: WindowExpression['unit'], window: number): Kernel {
  switch (op) {
    case 'sma':
      return rollingMean(window);
    case 'sum':
      return rollingSum(window);
    case 'max':
      return rollingMax(window);
    case 'min':
      return rollingMin(window);
    case 'ema':
      return ema(window);
    case 'lag':
      return unit === 'days' ? lagByDays(window) : lagByRows(window);
  }
}

/** The frame as a batch that shares no memory with anything else. */
function toBatch(frame: Frame, mayShareTimes: boolean): SeriesBatch {
  const { times, values, ownsValues } = frame;
  return {
    times: mayShareTimes || !isWhole(times) ? times.slice() : times,
    values: ownsValues && isWhole(values) ? values : values.slice(),
  };
}

/** Whether the array is all of its buffer. */
function isWhole(array: Float64Array): boolean {
  return array.byteLength === array.buffer.byteLength;
}
