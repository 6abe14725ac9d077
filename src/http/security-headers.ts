// What every answer tells a browser about itself. Pages add their content security policy.
const always = [
  ['x-content-type-options', 'nosniff'],
  ['referrer-policy', 'no-referrer'],
  ['x-frame-options', 'DENY'],
] as const;

/** What an answer says itself stays. @param hstsSeconds how long to insist on TLS; 0 for an answer that came without */
export function setSecurityHeaders(headers: Headers, hstsSeconds: number): void {
  for (const [name, value] of always) if (!headers.has(name)) headers.set(name, value);
  if (hstsSeconds > 0) headers.set('strict-transport-security', `max-age=${hstsSeconds}`);
}
