// What a rule is: it looks at what was read and probed, and tells what is wrong.
import type { Problem } from './problem.ts';
import type { Ward } from './ward.ts';

export type Rule = (ward: Ward) => readonly Problem[] | Promise<readonly Problem[]>;
