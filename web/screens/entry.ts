// The pages before one is in: set-up, sign-in, a new password; and the page for an error.
import type { ErrorCode } from '../../src/error.ts';
import { type Html, html } from '../html.ts';
import { button } from '../parts/button.ts';
import { field, form } from '../parts/form.ts';
import { emptyState, notice } from '../parts/notice.ts';
import { narrowPage, page } from '../parts/page.ts';
import { card } from '../parts/tabs.ts';
import { codeBlock } from '../parts/text-block.ts';
import type { ErrorView, FormState, Frame, PasswordView, SetupView, SignInView } from '../view-types.ts';

/** Posts token, name, password and again to `/setup`. */
export function setupScreen(frame: Frame, { token, form: state, spent }: SetupView): Html {
  const { t } = frame;
  if (spent) {
    return narrowPage(frame, {
      title: t(token === '' ? 'setup.link.title' : 'setup.spent.title'),
      body: html`<p class="lead">${t(token === '' ? 'setup.link.what' : 'setup.spent.what')}</p>
        ${codeBlock(t, { text: 'aimass setup-link' })}`,
    });
  }
  return narrowPage(frame, {
    title: t('setup.title'),
    lead: t('setup.lead'),
    body: form(frame, {
      action: '/setup',
      state,
      submit: t('setup.do'),
      hidden: { token },
      fields: [nameField(frame, state), ...newPasswordFields(frame, state, t('user.password'))],
    }),
  });
}

/** Posts name, password and next to `/sign-in`. */
export function signInScreen(frame: Frame, view: SignInView): Html {
  const { t } = frame;
  const { host, form: state, next, providers, sessionEnded } = view;
  return narrowPage(frame, {
    title: t('signIn.title'),
    lead: t('signIn.lead', { host }),
    body: html`${sessionEnded && html`<div class="form">${notice({ tone: 'info', text: t('signIn.ended') })}<span></span></div>`}
    ${form(frame, {
      action: '/sign-in',
      state,
      submit: t('signIn.do'),
      hidden: { next },
      fields: [
        nameField(frame, state),
        field(frame, {
          name: 'password',
          label: t('user.password'),
          type: 'password',
          required: true,
          attributes: { autocomplete: 'current-password' },
        }),
      ],
    })}
    ${
      providers.length > 0 &&
      html`<p class="or">${t('signIn.or')}</p>
        <div class="form">
          ${providers.map(({ name, href }) => button({ label: t('signIn.sso', { provider: name }), icon: 'door', href }))}
        </div>`
    }`,
  });
}

/** Posts current, password and again to `/admin/password`. */
export function passwordScreen(frame: Frame, { form: state, must }: PasswordView): Html {
  const { t } = frame;
  const body = form(frame, {
    action: '/admin/password',
    state,
    submit: t('password.do'),
    fields: [
      field(frame, {
        name: 'current',
        label: t('password.current'),
        type: 'password',
        state,
        required: true,
        attributes: { autocomplete: 'current-password' },
      }),
      ...newPasswordFields(frame, state, t('password.new')),
    ],
  });
  if (must) return narrowPage(frame, { title: t('password.title'), lead: t('password.must'), body });
  return page(frame, { title: t('password.title'), body: card({ body }) });
}

function nameField(frame: Frame, state: FormState): Html {
  return field(frame, {
    name: 'name',
    label: frame.t('user.name'),
    state,
    required: true,
    attributes: { autocomplete: 'username', autocapitalize: 'none', spellcheck: 'false', maxlength: 100 },
  });
}

/** Named password and again. */
export function newPasswordFields(frame: Frame, state: FormState, label: string): Html[] {
  const attributes = { autocomplete: 'new-password', minlength: 12, maxlength: 200 };
  const shared = { type: 'password', state, required: true, attributes } as const;
  return [
    field(frame, { ...shared, name: 'password', label, hint: frame.t('password.rule') }),
    field(frame, { ...shared, name: 'again', label: frame.t('password.again') }),
  ];
}

/** All but `internal`, which stands for whatever nobody foresaw. */
const known: Record<Exclude<ErrorCode, 'internal'>, true> = {
  invalid: true,
  unauthenticated: true,
  forbidden: true,
  not_found: true,
  conflict: true,
  too_large: true,
  unsupported: true,
  overloaded: true,
  throttled: true,
  timeout: true,
  unavailable: true,
  model_failed: true,
};

const isKnown = (code: string): code is keyof typeof known => Object.hasOwn(known, code);

/** With the menu for somebody who is signed in, without it otherwise. */
export function errorScreen(frame: Frame, { code, message, hint, requestId }: ErrorView): Html {
  const { t, viewer } = frame;
  const title = t(`error.${isKnown(code) ? code : 'internal'}`);
  const [what, next] = [t.said(message), hint && t.said(hint)];
  const text = html`${what}${next && html`<br />${next}`}`;
  const number = requestId !== undefined && html`<p class="hint">${t('error.request', { id: requestId })}</p>`;
  if (!viewer) {
    return narrowPage(frame, {
      title,
      body: html`<p class="lead">${text}</p>
        ${number}`,
    });
  }
  return page(frame, {
    title,
    body: html`${emptyState({
      icon: 'warn',
      title: what,
      text: next,
      action: button({ label: t('error.home'), href: '/admin' }),
    })}
    ${number}`,
  });
}
