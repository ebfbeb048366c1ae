/**
 * Providers of the tiers, as data: which columns make a row's key, which hold values, and of what kind.
 * aws, azure and gcp are the original writers' own; TIER_PROVIDERS_FILE adds more.
 *
 * The columns of a file stand in canonical order: key, time, values, `Ceased`.
 */

import { z } from 'zod';
import { InvalidRequestError } from '../common/errors.ts';
import type { ColumnSpec } from './column-spec.ts';
import { check } from './issues.ts';

/** True for a row that says that its key has ceased to exist, false for one with values. */
export const CEASED = 'Ceased';

export interface TierProvider {
  /** Part of keys. */
  readonly name: string;
  /** The primary key: text columns, most significant first. */
  readonly keyColumns: readonly string[];
  /** The time column: microseconds, UTC. */
  readonly timeColumn: string;
  readonly values: readonly (ColumnSpec & { readonly kind: 'int64' | 'float64' })[];
  /** The value column by which readers rank pools. */
  readonly scoreColumn: string;
}

export type TierProviders = ReadonlyMap<string, TierProvider>;

function provider(
  name: string,
  keyColumns: readonly string[],
  scoreColumn: string,
  int64: readonly string[],
  order: readonly string[],
): TierProvider {
  const values = order.map((column) => ({
    name: column,
    kind: int64.includes(column) ? ('int64' as const) : ('float64' as const),
  }));
  return { name, keyColumns, timeColumn: 'Time', values, scoreColumn };
}

export const BUILT_IN_PROVIDERS: readonly TierProvider[] = [
  provider(
    'aws',
    ['InstanceType', 'Region', 'AZ'],
    'SPS',
    ['SPS', 'T3', 'T2', 'Savings'],
    ['SPS', 'T3', 'T2', 'IF', 'OndemandPrice', 'SpotPrice', 'Savings'],
  ),
  provider(
    'azure',
    ['InstanceType', 'Region', 'AvailabilityZone'],
    'Score',
    ['InstanceTier', 'DesiredCount', 'Score', 'T3', 'T2', 'Savings'],
    ['InstanceTier', 'DesiredCount', 'Score', 'T3', 'T2', 'IF', 'OndemandPrice', 'SpotPrice', 'Savings'],
  ),
  provider(
    'gcp',
    ['InstanceType', 'Region'],
    'Score',
    ['Score', 'Savings'],
    ['Score', 'OndemandPrice', 'SpotPrice', 'Savings'],
  ),
];

/** The columns of a provider's files in canonical order. */
export function canonicalColumns({ keyColumns, timeColumn, values }: TierProvider): ColumnSpec[] {
  return [
    ...keyColumns.map((name) => ({ name, kind: 'text' as const })),
    { name: timeColumn, kind: 'timestamp' },
    ...values.map(({ name, kind }) => ({ name, kind })),
    { name: CEASED, kind: 'boolean' },
  ];
}

/** The columns by which the rows of a file ascend. */
export function sortColumns({ keyColumns, timeColumn }: TierProvider): string[] {
  return [...keyColumns, timeColumn];
}

/** The built-in providers and `own` ones; an own one of a built-in's name takes its place. */
export function tierProviders(own: readonly TierProvider[] = []): TierProviders {
  return new Map([...BUILT_IN_PROVIDERS, ...own].map((each) => [each.name, each]));
}

/** Throws CONFIG_ERROR for a name that is not there, in the original writers' words. */
export function findProvider(providers: TierProviders, name: string): TierProvider {
  const found = providers.get(name);
  if (found !== undefined) return found;
  const names = [...providers.keys()].map((each) => `'${each}'`).join(', ');
  throw new InvalidRequestError('CONFIG_ERROR', `Unknown provider: ${name}. Supported: [${names}]`);
}

const columnName = z
  .string()
  .min(1, 'must not be empty')
  .max(128, 'must have at most 128 characters')
  .refine((name) => name !== CEASED, `"${CEASED}" is a column of every provider already`);

const ownProvider = z
  .strictObject({
    name: z.string().regex(/^[a-z0-9][a-z0-9_-]{0,62}$/, 'must be 1 to 63 small letters, digits, "_" or "-"'),
    keyColumns: z.array(columnName).min(1, 'must name a column').max(16, 'must name at most 16 columns'),
    timeColumn: columnName.default('Time'),
    values: z
      .record(columnName, z.enum(['int64', 'float64'], 'must be "int64" or "float64"'))
      .refine((values) => Object.keys(values).length > 0, 'must have a column'),
    scoreColumn: columnName.optional(),
  })
  .superRefine(({ keyColumns, timeColumn, values, scoreColumn }, context) => {
    const seen = new Set<string>();
    const check = (name: string, path: (string | number)[]) => {
      if (seen.has(name)) context.addIssue({ code: 'custom', path, message: `"${name}" is named twice` });
      seen.add(name);
    };
    keyColumns.forEach((name, i) => {
      check(name, ['keyColumns', i]);
    });
    check(timeColumn, ['timeColumn']);
    for (const name of Object.keys(values)) check(name, ['values', name]);
    if (scoreColumn !== undefined && !Object.hasOwn(values, scoreColumn)) {
      context.addIssue({ code: 'custom', path: ['scoreColumn'], message: 'must be one of "values"' });
    }
  });

const providersFile = z
  .strictObject({ providers: z.array(ownProvider).max(1_000, 'must have at most 1,000 providers') })
  .superRefine(({ providers }, context) => {
    providers.forEach(({ name }, i) => {
      if (providers.findIndex((other) => other.name === name) === i) return;
      context.addIssue({
        code: 'custom',
        path: ['providers', i, 'name'],
        message: `"${name}" is there twice`,
      });
    });
  });

/**
 * Reads a TIER_PROVIDERS_FILE, `{ "providers": [{ "name", "keyColumns": [...], "values": { "<column>":
 * "int64" | "float64" }, "timeColumn": "Time", "scoreColumn": "<the first value>" }] }`; the last two may
 * be left out. Throws CONFIG_ERROR that names the file and every field that is wrong.
 *
 * @param text the file's contents
 * @param path the file's path, for the error
 */
export function parseProvidersFile(text: string, path: string): TierProvider[] {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new InvalidRequestError('CONFIG_ERROR', `${path} is not JSON: ${String(error)}`, { cause: error });
  }
  const checked = check(providersFile, json);
  if (!checked.ok) {
    throw new InvalidRequestError('CONFIG_ERROR', `${path} is invalid: ${checked.problems.join('; ')}`);
  }
  return checked.value.providers.map(({ name, keyColumns, timeColumn, values, scoreColumn }) => {
    const columns = Object.entries(values).map(([column, kind]) => ({ name: column, kind }));
    return { name, keyColumns, timeColumn, values: columns, scoreColumn: scoreColumn ?? columns[0]!.name };
  });
}
