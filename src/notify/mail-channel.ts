// Sends an event to a person by mail, in that person's language, with a link to its page.
import type { UserRecord } from '../access/user-record.ts';
import { messageOf } from '../error.ts';
import { beforeAbort } from '../net/before-abort.ts';
import type { Words } from './event.ts';
import type { Mail, SendMail } from './mail-server.ts';
import type { DueDelivery, Outbox, Outcome, StoredEvent } from './outbox.ts';

export interface MailChannelParts {
  outbox: Outbox;
  findUser: (id: string) => UserRecord | undefined;
  /** Absent while the settings name no mail server. */
  send?: SendMail;
  /** Origin that people's browsers use. */
  baseUrl: () => string;
}

/** Whether there is somebody to send mail to who wants it. */
export function takesMail(user: UserRecord | undefined): user is UserRecord & { email: string } {
  return user !== undefined && !user.isDisabled && user.mailMe && user.email !== null;
}

/** Never rejects. @param id of the user */
export async function sendByMail(
  { outbox, findUser, send, baseUrl }: MailChannelParts,
  id: string,
  delivery: DueDelivery,
  stopping: AbortSignal,
): Promise<Outcome> {
  const user = findUser(id);
  if (!takesMail(user)) return { isDelivered: false, isFinal: true, answer: 'The user takes no mail any more.' };
  if (!send) return { isDelivered: false, answer: 'No mail server is set (smtp_url).' };
  try {
    const mail = writeMail(outbox.getEvent(delivery.event), user, delivery.id, baseUrl());
    const { isAccepted, status, text, isFinal } = await beforeAbort(send(mail), stopping);
    return { isDelivered: isAccepted, isFinal, status, answer: text };
  } catch (error) {
    return { isDelivered: false, answer: messageOf(error) };
  }
}

const closing: Words = {
  en: 'AI Mass sends you this because it is in your inbox there. Whether you get mail is up to you:',
  zh: '此邮件由 AI Mass 发送，内容同时保存在您的收件箱中。您可在此设置是否接收邮件：',
};

/** @param id of the delivery */
export function writeMail(
  event: Pick<StoredEvent, 'title' | 'text' | 'path'>,
  user: UserRecord & { email: string },
  id: string,
  baseUrl: string,
): Mail {
  const language = user.language === 'zh-CN' ? 'zh' : 'en';
  const title = event.title[language];
  const paragraphs = [
    event.text[language],
    baseUrl + event.path,
    `-- \n${closing[language]}\n${baseUrl}/admin/account`,
  ].filter(Boolean);
  return {
    messageId: `${id}@${URL.parse(baseUrl)?.hostname ?? 'localhost'}`,
    to: user.email,
    subject: `[AI Mass] ${title.replaceAll(/[\p{C}\s]+/gu, ' ').trim()}`,
    text: `${paragraphs.join('\n\n')}\n`,
    language: language === 'zh' ? 'zh-CN' : 'en',
  };
}
