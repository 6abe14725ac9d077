// One's own account: who one is, the mail address, and whether notifications come by mail.
import { type Html, html } from '../html.ts';
import type { AccountView } from '../notify-views.ts';
import { checkbox, field, form } from '../parts/form.ts';
import { page } from '../parts/page.ts';
import { card } from '../parts/tabs.ts';
import type { Frame } from '../view-types.ts';

/** Posts email and mailMe to `/admin/account`. */
export function accountScreen(frame: Frame, { name, role, email, mailMe, isMailOn, form: state }: AccountView): Html {
  const { t } = frame;
  return page(frame, {
    title: t('account.title'),
    lead: t('account.lead', { name, role: t(`role.${role}`) }),
    body: card({
      title: t('account.mail'),
      body: html`${!isMailOn && html`<p class="hint account-hint">${t('account.noMail')}</p>`}
      ${form(frame, {
        action: '/admin/account',
        state,
        submit: t('do.save'),
        fields: [
          field(frame, {
            name: 'email',
            label: t('user.email'),
            hint: t('user.emailHint'),
            state,
            value: email,
            attributes: { autocomplete: 'email', spellcheck: 'false', maxlength: 254, inputmode: 'email' },
          }),
          checkbox({ name: 'mailMe', label: t('account.mailMe'), state, checked: mailMe }),
        ],
      })}`,
    }),
  });
}
