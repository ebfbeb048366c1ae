/** What the values of a result are worth: counts over all its rows, known when its end is reached. */
export interface Quality {
  /** Rows of the result whose value is null. */
  nulls: number;
  /** Values divided by zero, in every ratio of the expression; a shared ratio counts once. */
  divisionsByZero: number;
}

/** How many of `values` are null (NaN). */
export function countNulls(values: Float64Array): number {
  const rows = values.length;
  let nulls = 0;
  for (let i = 0; i < rows; i++) {
    const value = values[i]!;
    if (Number.isNaN(value)) nulls++;
  }
  return nulls;
}
