/**
 * The cases of test/conformance/tiers.json, which the original writers' behaviour was recorded in. The
 * file may grow: tests go by the fields, not by the number of cases.
 */

import { readFileSync } from 'node:fs';

/** A frame as recorded: columns by name, rows of JSON values. */
export interface CaseFrame {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly (string | number | boolean | null)[])[];
}

export interface ExpectedError {
  readonly type?: string;
  readonly contains?: string;
  readonly message?: string;
}

export interface TierCases {
  readonly config: readonly {
    readonly env: { readonly TITANS_ENV?: string };
    readonly provider: string;
    readonly expected: {
      readonly name: string;
      readonly hotPrefix: string;
      readonly warmPrefix: string;
      readonly pkColumns: readonly string[];
      readonly valueColumns: readonly string[];
      readonly timeColumn: string;
      readonly scoreColumn: string;
      readonly canonicalColumns: readonly string[];
      readonly dtypes: Readonly<Record<string, string>>;
    };
  }[];
  readonly configErrors: readonly { readonly provider: string; readonly expectedError: ExpectedError }[];
  readonly buildHotKey: readonly {
    readonly env: string;
    readonly provider: string;
    readonly timestamp: string;
    readonly expectedKey?: string;
    readonly expectedError?: ExpectedError;
  }[];
  readonly parseTimeFromKey: readonly { readonly key: string; readonly expected: string | null }[];
  readonly normalizeSchema: readonly {
    readonly provider: string;
    readonly input: CaseFrame;
    readonly expected?: CaseFrame & { readonly dtypes: Readonly<Record<string, string>> };
    readonly expectedError?: ExpectedError;
    readonly note?: string;
  }[];
  readonly prepareForUpload: readonly {
    readonly changed: CaseFrame;
    readonly removed: CaseFrame;
    readonly valueColumns: readonly string[] | null;
    readonly pkColumns: readonly string[] | null;
    readonly expected: CaseFrame;
    readonly note?: string;
  }[];
  readonly compactionLevels: readonly {
    readonly id: string;
    /** In words: `9 files, slot i at …`. */
    readonly hotFiles: string;
    readonly levels: Readonly<
      Record<string, readonly { readonly file: string; readonly hot_range: readonly number[] }[]>
    >;
    readonly next_file_id: number;
    readonly last_hot_idx: number;
  }[];
}

export const tierCases: TierCases = JSON.parse(
  readFileSync(new URL('../conformance/tiers.json', import.meta.url), 'utf8'),
);

/** Polars' names of the kinds of columns. */
export const POLARS_NAMES = {
  text: 'String',
  timestamp: "Datetime(time_unit='us', time_zone='UTC')",
  int64: 'Int64',
  float64: 'Float64',
  boolean: 'Boolean',
} as const;
