/** Version of delta-md, from its package.json (beside `dist/` when built). */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

function packageFile(folder: string): string {
  const file = join(folder, 'package.json');
  return existsSync(file) ? file : packageFile(dirname(folder));
}

export const VERSION: string = JSON.parse(readFileSync(packageFile(import.meta.dirname), 'utf8')).version;
