"""How the work is done: plain Python that knows neither queue nor web.

letters letter_form letter_pages letter_styles letter_texts what a letter says, and how it looks
snapshots words tax_numbers currencies turkish              its numbers, words and names
flow fonts typesetting right_to_left books bundles pictures  pages, many in one file, one to look at
mail_text mail_headers letter_mails addresses               a mail as it is written
mail_servers mail_replies mail_session mail_answers sending a mail on its way; a verdict on each message
sms_gateways sms_rows sms_text request_sizes                SMS, counted and sent
phones phone_tables                                         telephone numbers, checked and shown
sheets columns workbooks                                    sheets in and out
notices alerts webhooks                                     users, operators, other programs are told
"""
