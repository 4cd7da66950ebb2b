/** The simulator: a brain-like phantom, a scanner's physics, and a trial with planted effects. */
export {
  type CohortOptions,
  DEMO_COHORT,
  SESSIONS,
  type SimulatedCohort,
  simulateCohort,
} from './cohort.ts';
export { ROI_NAMES, type RoiName } from './regions.ts';
export {
  type Artefacts,
  DEFAULT_ARTEFACTS,
  DEFAULT_PROTOCOL,
  NO_ARTEFACTS,
  NO_CHANGE,
  type Protocol,
  type SessionOptions,
  type SimulatedSession,
  type SimulatedSet,
  simulateSession,
} from './session.ts';
export type { RegionalChange } from './subject.ts';
export {
  buildPhantom,
  fractionalAnisotropy,
  meanDiffusivity,
  onTemplate,
  type Phantom,
  templateFa,
} from './template.ts';
export { DEFAULT_EFFECTS, type Participant, type PlantedEffects } from './trial.ts';
