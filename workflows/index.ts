/** Every workflow and the names by which clients speak to them. */
export {
  type CohortInput,
  type CohortResult,
  cohortWorkflow,
  retryUpdate,
  type SubjectRow,
  tableQuery,
} from './cohort.ts';
export type { StepStatus } from './run.ts';
export { type SubjectInput, stepsQuery, subjectWorkflow } from './subject.ts';
