local policy = {}

os.execute("true")

return policy
