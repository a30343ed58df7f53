// A scenario is a script that runs on both sides.

export interface Scenario {
  readonly name: string;
  /** What scenario.sh runs. */
  readonly text: string;
}
