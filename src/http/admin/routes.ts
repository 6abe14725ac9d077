// Puts the groups of pages together.
import { aboutRoutes } from './about.ts';
import { accountRoutes } from './account.ts';
import { auditRoutes } from './audit.ts';
import type { AdminContext } from './context.ts';
import { deriveRoutes } from './derive.ts';
import { endpointRoutes } from './endpoints.ts';
import { entryRoutes } from './entry.ts';
import { environmentRoutes } from './environments.ts';
import { inboxRoutes } from './inbox.ts';
import { keyRoutes } from './keys.ts';
import { machineRoutes } from './machine-routes.ts';
import { modelRoutes } from './models.ts';
import { notificationRoutes } from './notifications.ts';
import { releaseRequestRoutes } from './release-request.ts';
import { releaseRoutes } from './releases.ts';
import { settingRoutes } from './settings.ts';
import { signInRoutes } from './sign-ins.ts';
import { ssoRoutes } from './sso.ts';
import { templateRoutes } from './templates.ts';
import { tryRoutes } from './try-it.ts';
import { uploadRoutes } from './upload.ts';
import { userRoutes } from './users.ts';
import type { AdminRoute } from './visit.ts';

export function adminRoutes(context: AdminContext): AdminRoute[] {
  return [
    ...entryRoutes(context),
    ...ssoRoutes(context),
    ...machineRoutes(context),
    ...modelRoutes(context),
    ...uploadRoutes(context),
    ...deriveRoutes(context),
    ...templateRoutes(context),
    ...tryRoutes(context),
    ...endpointRoutes(context),
    // Before the pages of each release: their names stand where a number would.
    ...releaseRequestRoutes(context),
    ...releaseRoutes(context),
    ...environmentRoutes(context),
    ...aboutRoutes(context),
    ...accountRoutes(context),
    ...auditRoutes(context),
    ...inboxRoutes(context),
    ...keyRoutes(context),
    ...notificationRoutes(context),
    ...settingRoutes(context),
    ...signInRoutes(context),
    ...userRoutes(context),
  ];
}
