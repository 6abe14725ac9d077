// The steps that bring a database up to date, in order. A static list: a compiled binary has no folder to scan.
// A step that was released is never edited again; a change is a new step.
import models from './001-models.sql' with { type: 'text' };
import footprints from './002-footprints.sql' with { type: 'text' };
import placement from './003-placement.sql' with { type: 'text' };
import access from './004-access.sql' with { type: 'text' };
import release from './005-release.sql' with { type: 'text' };
import knownOrigins from './006-known-origins.sql' with { type: 'text' };
import notify from './007-notify.sql' with { type: 'text' };

export interface Migration {
  name: string;
  sql: string;
}

export const migrations: readonly Migration[] = [
  { name: '001-models', sql: models },
  { name: '002-footprints', sql: footprints },
  { name: '003-placement', sql: placement },
  { name: '004-access', sql: access },
  { name: '005-release', sql: release },
  { name: '006-known-origins', sql: knownOrigins },
  { name: '007-notify', sql: notify },
];
