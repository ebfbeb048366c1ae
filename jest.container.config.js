// The tests that need a Docker engine: `npm run test:container`.
import base from './jest.config.js';

// The reaper is an image of its own, not to be had without a registry; the tests clean up themselves.
process.env.TESTCONTAINERS_RYUK_DISABLED = 'true';

export default {
  ...base,
  roots: ['<rootDir>/test/container'],
  testPathIgnorePatterns: ['/node_modules/'],
  maxWorkers: 1,
  testTimeout: 600_000,
};
