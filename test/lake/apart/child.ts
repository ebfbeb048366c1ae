/** The other side of run-apart.ts. */

const [, , module = '', name = ''] = process.argv;

process.once('message', async (message) => {
  const { input } = message as { readonly input: unknown };
  try {
    const exports = (await import(module)) as Record<string, (input: unknown) => Promise<unknown>>;
    process.send?.({ value: await exports[name]?.(input) });
  } catch (error) {
    process.send?.({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  }
  process.disconnect();
});
