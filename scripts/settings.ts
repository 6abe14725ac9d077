// Writes the table of settings into README.md, from the one that the program reads.
import { join } from 'node:path';

import { renderSettingsMarkdown } from '../src/config.ts';

const path = join(import.meta.dir, '../README.md');
const [before, , after] = (await Bun.file(path).text()).split(/<!-- \/?settings -->/);
await Bun.write(path, `${before}<!-- settings -->\n\n${renderSettingsMarkdown()}\n\n<!-- /settings -->${after}`);
