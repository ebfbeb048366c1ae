import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DIST } from './test/support/built.ts';

// The processes that tests start by the hundred share what V8 compiled: they start in half the time.
process.env.NODE_COMPILE_CACHE ??= join(tmpdir(), 'tidemill-compile-cache');

// Built once, for all suites.
process.env.TIDEMILL_TEST_DIST = DIST;

// Tests are TypeScript ES modules, compiled by swc; worker threads and child processes that a test
// starts run the same sources through Node's own type stripping.
export default {
  testEnvironment: '<rootDir>/test/support/plain-environment.js',
  roots: ['<rootDir>/test'],
  testMatch: ['**/*.test.ts'],
  testPathIgnorePatterns: ['/node_modules/', '<rootDir>/test/container/'],
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      {
        jsc: { parser: { syntax: 'typescript' }, target: 'es2024' },
        module: { type: 'es6' },
      },
    ],
  },
  // Suites wait for queues and processes more than they compute; jest's own choice on two cores is one.
  maxWorkers: 2,
  testTimeout: 30_000,
};
