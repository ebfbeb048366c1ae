/**
 * jest's environment for Node, but for one thing: its context is an ordinary one. jest makes one whose every
 * global (`Math`, `Number`, `Uint8Array`, ...) is asked of a proxy, which loops over millions of rows feel:
 * suites that compute took twice the processor's time.
 */

import vm from 'node:vm';
import { TestEnvironment } from 'jest-environment-node';

export default class PlainEnvironment extends TestEnvironment {
  constructor(config, context) {
    const { createContext } = vm;
    vm.createContext = () => createContext(vm.constants.DONT_CONTEXTIFY);
    try {
      super(config, context);
    } finally {
      vm.createContext = createContext;
    }
  }
}
