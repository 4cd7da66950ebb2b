/** A file that cannot be read as what it should be, or contradicts another. Names the file and the remedy. */
export class ImagingError extends Error {
  override name = 'ImagingError';
  readonly file: string;
  readonly remedy: string;

  /** @param file path as the user knows it  @param problem what is wrong  @param remedy what to do next */
  constructor(file: string, problem: string, remedy: string) {
    super(`${file}: ${problem}. ${remedy}`);
    this.file = file;
    this.remedy = remedy;
  }
}
