"""What the service does: a function per kind, in the file of its queue (pdf sms email excel maintenance).

mutabakat  letters mailed and announced      reports  of SMS that were sent      steer  many tasks      telling  of ends
"""
