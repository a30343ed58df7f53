// The folder of the tree, whether this runs from the sources or compiled, in build/conformance or build/bench.
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url)).replace(/(\/build\/(conformance|bench))?\/$/, '');
