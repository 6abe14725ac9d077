// What every group of pages is given.
import type { Access } from '../../access/access.ts';
import type { Oidc } from '../../access/oidc.ts';
import type { UserRole } from '../../access/roles.ts';
import type { Control } from '../api/control.ts';
import type { Gate } from '../gate.ts';

export interface SingleSignOn {
  provider: Oidc;
  roleOfGroup: ReadonlyMap<string, UserRole>;
  /** What people call the provider. */
  name: string;
  /** Where the provider sends browsers back to. */
  redirectUrl: string;
}

export interface AdminContext {
  control: Control;
  access: Access;
  gate: Gate;
  singleSignOn?: SingleSignOn;
  /** Lets the connection be silent for as long as it takes. */
  keepOpen: (request: Request) => void;
}
