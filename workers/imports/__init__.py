"""IMPORTS AND EXPORTS: what the rows of a sheet mean in the database. Knows no queue and no Flask.

runs      one import from the uploaded file to its result: checking every row, then what is good applied in batches
orders    what is asked of one, and its folder
scratch   the checked rows of one sheet, in a file of this machine's own; made anew wherever it is missing
meanings  which import understands rows how: users, accounts, balances, a module each
places    how far an import has come, written with each batch
refusals  the workbook of the rows that were refused       exports  records as workbooks
"""
