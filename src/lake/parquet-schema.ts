/** What a file's schema says of its columns. */

import type { SchemaElement } from 'hyparquet';

/** The top-level columns without children, by name. */
export function leavesOf(schema: readonly SchemaElement[]): Map<string, SchemaElement> {
  const leaves = new Map<string, SchemaElement>();
  let inside = 0;
  for (const element of schema.slice(1)) {
    if (inside === 0 && element.num_children === undefined) leaves.set(element.name, element);
    inside = Math.max(0, inside - 1) + (element.num_children ?? 0);
  }
  return leaves;
}

/** Whether a column holds text: enums and JSON are text as well, and a byte array that says nothing of itself. */
export function isText({ type, converted_type: converted, logical_type: logical }: SchemaElement): boolean {
  if (type !== 'BYTE_ARRAY') return false;
  if (logical !== undefined) return ['STRING', 'ENUM', 'JSON'].includes(logical.type);
  return converted === undefined || ['UTF8', 'ENUM', 'JSON'].includes(converted);
}
