// On rq-dashboard's pages: sends the form's token with each POST, says what was refused and why, and leads back.
(function () {
  'use strict';
  const { csrf, desk } = document.currentScript.dataset;
  const said = document.createElement('p');
  said.setAttribute('role', 'alert');
  said.className = 'alert alert-warning m-3';
  said.hidden = true;
  const back = document.createElement('a');
  back.href = desk;
  back.textContent = '← Sıra';
  back.className = 'm-3';
  document.body.prepend(back, said);

  function say(text) {
    said.textContent = text;
    said.hidden = !text;
  }

  if (csrf) $.ajaxSetup({ headers: { 'X-CSRFToken': csrf } });
  $(document).ajaxError(function (event, answer, asked) {
    if (asked.type !== 'POST') return; // what is polled may fail now and then
    say((answer.responseJSON || {}).detail || 'The server answered ' + answer.status + '.');
  });
  $(document).ajaxSuccess(function (event, answer, asked) {
    if (asked.type !== 'POST') return;
    say(answer.responseJSON ? '' : 'Nothing was done: your session has ended. Load this page again.');
  });
})();
