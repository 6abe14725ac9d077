// The mail server that the settings name: reads its address and sends through it. The only file that knows nodemailer,
// and of that only the parts that speak SMTP.
import Mailer from 'nodemailer/lib/mailer';
import SmtpTransport from 'nodemailer/lib/smtp-transport';

import { AppError } from '../error.ts';

export interface MailServer {
  host: string;
  port: number;
  /** implicit: from the first byte. required: by STARTTLS or not at all. offered: by STARTTLS if the server has it. */
  tls: 'implicit' | 'required' | 'offered' | 'off';
  /** Secret; never print it. */
  login?: { user: string; password: string };
}

export interface Mail {
  /** Without the brackets around it; the same for each attempt. */
  messageId: string;
  to: string;
  subject: string;
  text: string;
  /** For the header Content-Language. */
  language: string;
}

/** What the server said of a mail. */
export interface MailAnswer {
  isAccepted: boolean;
  /** Of SMTP; absent when there was none. */
  status?: number;
  text: string;
  /** It would refuse this mail again. */
  isFinal?: boolean;
}

export type SendMail = (mail: Mail) => Promise<MailAnswer>;

const connectTimeoutMs = 10_000;
const silenceTimeoutMs = 30_000;
const usualPorts: Record<MailServer['tls'], number> = { implicit: 465, required: 587, offered: 25, off: 25 };

/** @param text "smtp://user:password@host:port" or "smtps://…", with "?tls=off" or "?tls=required". @throws AppError invalid */
export function parseMailServer(text: string): MailServer {
  const url = URL.parse(text);
  const host = url?.hostname.replace(/^\[|\]$/g, '') ?? '';
  const isSecure = url?.protocol === 'smtps:';
  const wanted = url?.searchParams.get('tls') ?? undefined;
  const isKnown = wanted === undefined || (!isSecure && (wanted === 'off' || wanted === 'required'));
  const isPlain =
    (url?.pathname ?? '').length <= 1 && [...(url?.searchParams.keys() ?? [])].every((name) => name === 'tls');
  if (!url || (!isSecure && url.protocol !== 'smtp:') || host === '' || url.port === '0' || !isKnown || !isPlain) {
    // Not quoted: it has a password in it.
    throw new AppError(
      'invalid',
      'This is no address of a mail server.',
      "Write it as 'smtp://host:25', 'smtp://user:password@host:587' or 'smtps://user:password@host:465'; " +
        "'?tls=required' insists on STARTTLS, '?tls=off' goes without.",
    );
  }
  const login = url.username === '' ? undefined : { user: decode(url.username), password: decode(url.password) };
  // A password is not told to whoever stands in between and leaves STARTTLS out.
  const tls = isSecure ? 'implicit' : (wanted ?? (login ? 'required' : 'offered'));
  return { host, port: Number(url.port) || usualPorts[tls], tls, ...(login && { login }) };
}

/** @param from "address" or "Name <address>" @param ca authorities besides the system's, as PEM */
export function openMailServer({ host, port, tls, login }: MailServer, from: string, ca?: string): SendMail {
  const transport = new SmtpTransport({
    host,
    port,
    secure: tls === 'implicit',
    requireTLS: tls === 'required',
    ignoreTLS: tls === 'off',
    ...(login && { auth: { user: login.user, pass: login.password } }),
    ...(ca !== undefined && { tls: { ca } }),
    connectionTimeout: connectTimeoutMs,
    greetingTimeout: connectTimeoutMs,
    dnsTimeout: connectTimeoutMs,
    socketTimeout: silenceTimeoutMs,
    maxResponseSize: 64 * 1024,
    // A relay may well be on this machine.
    allowInternalNetworkInterfaces: true,
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  const mailer = new Mailer(transport);
  return async ({ messageId, to, subject, text, language }) => {
    try {
      const { response } = await mailer.sendMail({
        messageId: `<${messageId}>`,
        from,
        to,
        subject,
        text,
        xMailer: false,
        headers: {
          'content-language': language,
          // No machine is to answer it.
          'auto-submitted': 'auto-generated',
          'x-auto-response-suppress': 'All',
        },
      });
      return { isAccepted: true, status: statusOf(response), text: wordsOf(response ?? '') };
    } catch (error) {
      const { responseCode, response, message, code } = error as Failure;
      const isFinal = code === 'EENVELOPE' && responseCode !== undefined && responseCode >= 500;
      return { isAccepted: false, status: responseCode, text: wordsOf(response ?? message), isFinal };
    }
  };
}

/** What is not written with %XX is taken as it is. */
function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

interface Failure extends Error {
  code?: string;
  responseCode?: number;
  response?: string;
}

/** Without the code, which is told by itself. */
const wordsOf = (response: string) => response.replace(/^\d{3}[ -]/, '');

function statusOf(response: string | undefined): number | undefined {
  const [code] = /^\d{3}/.exec(response ?? '') ?? [];
  return code === undefined ? undefined : Number(code);
}
