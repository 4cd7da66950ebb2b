// What npm run stack makes once and keeps: programs and files of images.
import { homedir } from 'node:os';
import { join } from 'node:path';

export const cache = join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'delta-md', 'stack');
