// Tokens in forms, which show that a form came from us and not from another site (CSRF). Each is bound to one session
// and good as long as a session can be.
import type { Database } from 'bun:sqlite';

import { makeToken } from './secrets.ts';
import { sessionLimits } from './sessions.ts';

export class FormTokens {
  readonly #secret: string;

  /** @param lifeMs longest life of a token */
  constructor(
    db: Database,
    private readonly lifeMs: number = sessionLimits.absoluteMs,
  ) {
    this.#secret = db
      .query<{ value: string }, [string]>(
        `INSERT INTO access_state VALUES ('form-secret', ?) ON CONFLICT DO UPDATE SET value = value RETURNING value`,
      )
      .get(makeToken())!.value;
  }

  /** @param session the session's id, not its token. */
  issue(session: string): string {
    return Bun.CSRF.generate(this.#secret, { sessionId: session, expiresIn: this.lifeMs });
  }

  verify(session: string, token: string): boolean {
    if (session === '' || token === '' || token.length > 512) return false;
    return Bun.CSRF.verify(token, { secret: this.#secret, sessionId: session, maxAge: this.lifeMs });
  }
}
