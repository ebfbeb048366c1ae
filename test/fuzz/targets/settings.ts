/** Settings: the environment of a worker, and the file of providers. */

import { type Config, ConfigurationError, readConfig, VARIABLES } from '../../../src/config.ts';
import { parseProvidersFile, tierProviders } from '../../../src/contract/tier-provider.ts';
import { hold, type OpenTarget, outcomeOf } from '../target.ts';

/** What is planted in the URL of the database, and must be told to nobody. */
const SECRET = 'hunter2';

/** A value as a text of an environment; one that nests too deep to be written is no text at all. */
function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  try {
    return JSON.stringify(value);
  } catch {
    return '';
  }
}

/** An environment, as JSON; its values are made texts, which is what an environment has. */
export async function openSettings(): Promise<OpenTarget> {
  return {
    async run(input) {
      return await outcomeOf(() => {
        let given: unknown;
        try {
          given = JSON.parse(Buffer.from(input).toString());
        } catch {
          return 'no JSON';
        }
        const variables = typeof given === 'object' && given !== null ? Object.entries(given) : [];
        const texts = variables.map(([name, value]) => [name, textOf(value)] as const);
        let config: Config;
        try {
          config = readConfig(Object.fromEntries(texts));
        } catch (error) {
          hold(error instanceof ConfigurationError, 'settings that fail in another way than by being told');
          const { problems, message } = error as ConfigurationError;
          const names = Object.values(VARIABLES).map(({ name }) => name);
          hold(
            problems.length > 0 &&
              problems.every((problem) => names.some((name) => problem.startsWith(name))),
            'a problem that names no variable',
            message,
          );
          hold(!message.includes(SECRET), 'a secret in a problem', message);
          throw error;
        }
        hold(Object.isFrozen(config), 'a config that can be changed');
        for (const value of Object.values(config)) {
          hold(
            typeof value !== 'number' || Number.isSafeInteger(value),
            'a number that is none',
            String(value),
          );
        }
        return 'read';
      });
    },
    close: async () => {},
  };
}

/** A TIER_PROVIDERS_FILE. */
export async function openProviders(): Promise<OpenTarget> {
  return {
    async run(input) {
      return await outcomeOf(() => {
        const own = parseProvidersFile(Buffer.from(input).toString(), 'providers.json');
        const all = tierProviders(own);
        for (const { name, keyColumns, values, scoreColumn } of own) {
          hold(all.has(name), 'a provider that is not there');
          hold(keyColumns.length > 0 && values.length > 0, 'a provider without columns', name);
          hold(
            values.some((value) => value.name === scoreColumn),
            'a score that is no value',
            name,
          );
        }
        return 'read';
      });
    },
    close: async () => {},
  };
}
